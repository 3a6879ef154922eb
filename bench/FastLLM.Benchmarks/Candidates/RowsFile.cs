using System.Globalization;
using System.Text.Json;

namespace FastLLM.Benchmarks.Candidates;

/// <summary>A workload as a file of OpenAI batch lines, written piece by piece.</summary>
internal static class RowsFile
{
    private const int Piece = 10_000;

    /// <param name="path">Where it goes.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="lineBytes">How long a line is made by lengthening its prompt; 0 for as it is.</param>
    public static async Task WriteAsync(string path, int rows, int lineBytes = 0)
    {
        await using var file = new StreamWriter(path) { NewLine = "\n" };
        for (int first = 0; first < rows; first += Piece)
        {
            var workload = new Workload(Math.Min(Piece, rows - first));
            for (int i = 0; i < workload.Count; i++)
            {
                string line = Line(first + i, workload[i]);
                await file.WriteLineAsync(line.Length < lineBytes ? Line(first + i, workload[i].PadRight(workload[i].Length + lineBytes - line.Length, '.')) : line);
            }
        }
    }

    private static string Line(int row, string prompt) => string.Create(CultureInfo.InvariantCulture,
        $$$"""{"custom_id":"row-{{{row}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{Workload.Model}}}","messages":[{"role":"system","content":"{{{Workload.Instruction}}}"},{"role":"user","content":{{{JsonSerializer.Serialize(prompt)}}}}],"temperature":{{{Workload.Temperature}}},"max_completion_tokens":{{{Workload.MaxCompletionTokens}}}}}""");
}
