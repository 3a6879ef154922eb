using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Tables;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Answers;

/// <summary>Counts the answers that an output holds, including those of earlier runs.</summary>
internal static class OutputTally
{
    /// <summary>Counts the answers; <see langword="null"/> if the output cannot be read.</summary>
    public static AnswerDistribution? Of(AnswerForm form, string log, RowIndex rows)
    {
        try
        {
            using SafeFileHandle file = OutputScan.OpenForReading(log);
            var records = new RecordReader(file);
            var tally = new AnswerTally(form);
            for (var row = 0; row < rows.Count; row++)
            {
                if (rows.RecordOf(row) is not RowIndex.NoRecord and var offset && !rows.IsFailure(row)
                    && RowOutcome.Read(records.Read(offset).ToArray()) is { Error: null, Text: { } text } outcome)
                {
                    tally.Add(text, outcome.FinishReason);
                }
            }

            return tally.ToDistribution();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Text.Json.JsonException)
        {
            return null; // the counts of the run are there
        }
    }
}
