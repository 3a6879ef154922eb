using System.Collections.Immutable;

namespace FastLLM.Cli;

/// <summary>Remembers the last failure and a few of the last answers, for the live display.</summary>
/// <remarks>Answers are taken a few times per second, however fast rows complete. One thread notes rows; others may read.</remarks>
internal sealed class LatestRows(TimeProvider time)
{
    private const int Shown = 3;
    private const int MaxText = 300;

    private static readonly TimeSpan s_every = TimeSpan.FromMilliseconds(400);

    private long? _takenAt;
    private ImmutableList<(string Id, ResponseWrapper<LlmResponse> Outcome)> _answers = [];
    private FailedRow? _failure;

    /// <summary>Gets a value indicating whether answers have a form, so that their fields are shown rather than their JSON.</summary>
    public bool HasFields { get; init; }

    /// <summary>Gets the last failure in one line; <see langword="null"/> if no row has failed.</summary>
    public string? LastError => _failure is { } last
        ? $"row {TerminalText.Clean(last.Id, 40)}  {last.Failure.Kind}: {TerminalText.Clean(last.Failure.Message, MaxText)}" : null;

    /// <summary>Gets the last answers, the latest last.</summary>
    public IReadOnlyList<(string Id, string Text)> Answers => [.. _answers.Select(answer =>
        (TerminalText.Clean(answer.Id, 40), TerminalText.Clean(OutcomeText.Of(answer.Outcome, HasFields), MaxText)))];

    /// <summary>Notes a row that has failed for good.</summary>
    public void Failed(string id, LlmException failure) => _failure = new FailedRow(id, failure);

    /// <summary>Notes a row that was written.</summary>
    public void Written(string id, ResponseWrapper<LlmResponse> outcome)
    {
        if (!outcome.IsSuccess || (_takenAt is { } last && time.GetElapsedTime(last) < s_every))
        {
            return;
        }

        _takenAt = time.GetTimestamp();
        ImmutableList<(string Id, ResponseWrapper<LlmResponse> Outcome)> answers = _answers.Add((id, outcome));
        _answers = answers.Count > Shown ? answers.RemoveAt(0) : answers;
    }

    private sealed record FailedRow(string Id, LlmException Failure);
}
