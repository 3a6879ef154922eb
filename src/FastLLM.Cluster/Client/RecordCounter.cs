using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Tables;
using FastLLM.Json;

namespace FastLLM.Cluster.Client;

/// <summary>Counts records as a run counts the outcomes that it writes.</summary>
internal sealed class RecordCounter(JobOptions options)
{
    /// <summary>Gets the counts.</summary>
    public OutcomeCounts Counts { get; } = new(options);

    /// <summary>Gets the costs that the records state.</summary>
    public decimal Cost { get; private set; }

    /// <summary>Counts a record.</summary>
    public void Add(ReadOnlyMemory<byte> line, in OutputEntry entry)
    {
        Cost += entry.Cost ?? 0;
        if (!entry.Succeeded)
        {
            AddFailure(line, entry.CustomId);
            return;
        }

        Counts.AddAnswer(entry.FinishReasons is [var reason, ..] ? reason : null);
        if (Counts.Tally is { } tally)
        {
            RowOutcome outcome = RowOutcome.Read(line);
            tally.Add(outcome.Text ?? "", outcome.FinishReason);
        }
    }

    private void AddFailure(ReadOnlyMemory<byte> line, string id)
    {
        using JsonDocument document = JsonDocument.Parse(line, RowOutcome.DocumentOptions);
        JsonElement own = document.RootElement.Member("fastllm");
        JsonElement error = document.RootElement.Member("error");
        string name = own.Text("failure") ?? error.Text("code") ?? "";
        string message = own.Text("message") ?? error.Text("message") ?? "The request failed.";
        FailureKind kind = name == "invalid_row" ? FailureKind.InvalidRequest
            : Enum.TryParse(name.Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out FailureKind known) ? known
            : FailureKind.Unknown;
        Counts.AddFailure(id, new LlmException(kind, message));
    }
}
