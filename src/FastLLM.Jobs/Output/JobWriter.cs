using System.Collections.Concurrent;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Answers;
using FastLLM.Jobs.Planning;
using FastLLM.Retries;

namespace FastLLM.Jobs.Output;

/// <summary>Writes the outcomes of rows as they come, and counts them.</summary>
/// <remarks>One thread at a time takes rows, and another writes outcomes.</remarks>
internal sealed class JobWriter(RowSink sink, OutputRecord record, JobOptions options)
{
    private readonly ConcurrentDictionary<long, PlannedRow> _inFlight = new();
    private readonly Lock _writing = new();
    private long _sequence;
    private long _cached;
    private long _shared;
    private long _unpriced;

    /// <summary>Gets the counts of what was written.</summary>
    public OutcomeCounts Counts { get; } = new(options);

    /// <summary>Waits until the sink has room for the record of another row.</summary>
    public ValueTask WaitForRoomAsync(CancellationToken cancellationToken) => sink.WaitForRoomAsync(cancellationToken);

    /// <summary>Expects the outcome of a row. Rows are sent in the order of these calls.</summary>
    public void Expect(in PlannedRow row) => _inFlight[_sequence++] = row with { Request = null };

    /// <summary>Writes a row that is not sent because it is invalid.</summary>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public void WriteInvalid(in PlannedRow row)
    {
        lock (_writing)
        {
            sink.Write(row.Place, record.WriteInvalid(row.Id, row.Error!, row.Metadata.Span).Span);
            Counts.AddFailure(row.Id, new LlmException(FailureKind.InvalidRequest, row.Error!));
        }
    }

    /// <summary>Writes the records that the sink holds back.</summary>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public void Flush() => sink.Flush();

    /// <summary>Writes an outcome, unless its row stays pending.</summary>
    /// <returns>The cost that the record states.</returns>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public decimal Write(ResponseWrapper<LlmResponse> outcome)
    {
        return _inFlight.TryRemove(outcome.OrderId, out PlannedRow row) && !StaysPending(outcome) ? Write(row, outcome) : 0;
    }

    /// <summary>Writes the outcome of a row that was not expected.</summary>
    /// <inheritdoc cref="Write(ResponseWrapper{LlmResponse})"/>
    public decimal Write(in PlannedRow row, ResponseWrapper<LlmResponse> outcome)
    {
        KillPoint.Reached(KillPoint.AfterCommitBeforeOutput);
        lock (_writing)
        {
            sink.Write(row.Place, record.Write(row.Id, outcome, row.Metadata.Span).Span);
            _unpriced += Math.Max(outcome.Unpriced, outcome.MaybeBilled);
            if (outcome.Error is { } error)
            {
                Counts.AddFailure(row.Id, error);
            }
            else
            {
                _unpriced += outcome is { Cost: null, IsCacheHit: false, IsShared: false } ? 1 : 0;
                _cached += outcome.IsCacheHit ? 1 : 0;
                _shared += outcome.IsShared ? 1 : 0;
                sink.Answered(row.Place, outcome.Key, outcome.Response);
                string? reason = outcome.Response switch
                {
                    ChatCompletion chat => chat.FinishReason,
                    OtherResponse other => other.FinishReason,
                    _ => null,
                };
                Counts.AddAnswer(reason);
                Counts.Tally?.Add(AnswerTexts.Of(outcome.Response) ?? "", reason);
            }
        }

        options.OnRowWritten?.Invoke(row.Id, outcome);
        return options.IncludeMetadata && outcome.Cost is { } cost and > 0 ? cost : 0;
    }

    /// <summary>Returns the statistics of a run with the counts of the rows that were written. The engine also counts outcomes that were
    /// not written, and failures of rows that stay pending.</summary>
    public TokenStats Count(TokenStats stats) => stats with
    {
        RequestsCompleted = Counts.Answered + Counts.Failed,
        Failed = Counts.Failed,
        CacheHits = _cached,
        Shared = _shared,
    };

    /// <summary>Returns how many sends of a run without a budget have an unknown cost and are in no record: those of rows that stay
    /// pending.</summary>
    public long CountUnrecorded(TokenStats stats) => Math.Max(0, stats.MaybeBilled + stats.Unpriced - _unpriced);

    /// <summary>Determines whether a row gets no record, so that the next run sends it: it was not sent, or failed for a reason that is not
    /// its own.</summary>
    public static bool StaysPending(ResponseWrapper outcome) => outcome.Error is { } error
        && (error.FailureScope == FailureScope.Run
            || error.Kind is FailureKind.NotSent or FailureKind.Canceled
            || FailureTable.ActionOn(error.Kind) == FailureAction.StopRun);
}
