using System.Text.Json;
using FastLLM.Jobs.Answers;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Tables;
using FastLLM.Json;

namespace FastLLM.Cluster.Client;

/// <summary>Counts records as a run counts the outcomes that it writes.</summary>
internal sealed class RecordCounter(JobOptions options)
{
    private readonly AnswerTally? _tally = options.Answers is { } form ? new AnswerTally(form) : null;
    private readonly Dictionary<FailureKind, (long Count, string Example)> _failures = [];
    private readonly Dictionary<string, long> _finishReasons = new(StringComparer.Ordinal);

    /// <summary>Gets the number of answers.</summary>
    public long Answered { get; private set; }

    /// <summary>Gets the number of failures.</summary>
    public long Failed { get; private set; }

    /// <summary>Gets the costs that the records state.</summary>
    public decimal Cost { get; private set; }

    /// <summary>Gets the failures by kind, each with the first message.</summary>
    public IReadOnlyDictionary<FailureKind, (long Count, string Example)> Failures => _failures;

    /// <summary>Gets the answers by finish reason.</summary>
    public IReadOnlyDictionary<string, long> FinishReasons => _finishReasons;

    /// <summary>Gets the distribution of the answers, if the job has a form.</summary>
    public AnswerDistribution? Distribution => _tally?.ToDistribution();

    /// <summary>Counts a record.</summary>
    public void Add(ReadOnlyMemory<byte> line, in OutputEntry entry)
    {
        Cost += entry.Cost ?? 0;
        if (!entry.Succeeded)
        {
            AddFailure(line, entry.CustomId);
            return;
        }

        Answered++;
        if (entry.FinishReasons is [var reason, ..])
        {
            _finishReasons[reason] = _finishReasons.GetValueOrDefault(reason) + 1;
        }

        if (_tally is not null)
        {
            RowOutcome outcome = RowOutcome.Read(line);
            _tally.Add(outcome.Text ?? "", outcome.FinishReason);
        }
    }

    private void AddFailure(ReadOnlyMemory<byte> line, string id)
    {
        Failed++;
        using JsonDocument document = JsonDocument.Parse(line, RowOutcome.DocumentOptions);
        JsonElement own = document.RootElement.Member("fastllm");
        JsonElement error = document.RootElement.Member("error");
        string name = own.Text("failure") ?? error.Text("code") ?? "";
        string message = own.Text("message") ?? error.Text("message") ?? "The request failed.";
        FailureKind kind = name == "invalid_row" ? FailureKind.InvalidRequest
            : Enum.TryParse(name.Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out FailureKind known) ? known
            : FailureKind.Unknown;
        (long count, string? example) = _failures.GetValueOrDefault(kind);
        _failures[kind] = (count + 1, example ?? message);
        options.OnRowFailed?.Invoke(id, new LlmException(kind, message));
    }
}
