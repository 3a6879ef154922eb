using System.Collections.Concurrent;
using FastLLM.Diagnostics;
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

    /// <summary>Gets the counts of what was written.</summary>
    public JobCounts Counts { get; } = new();

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
            CountFailure(row.Id, new LlmException(FailureKind.InvalidRequest, row.Error!));
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
        if (!_inFlight.TryRemove(outcome.OrderId, out PlannedRow row) || StaysPending(outcome))
        {
            return 0;
        }

        KillPoint.Reached(KillPoint.AfterCommitBeforeOutput);
        lock (_writing)
        {
            sink.Write(row.Place, record.Write(row.Id, outcome, row.Metadata.Span).Span);
            if (outcome.Error is { } error)
            {
                CountFailure(row.Id, error);
            }
            else
            {
                Counts.AddAnswer(outcome.Response);
            }
        }

        return options.IncludeMetadata && outcome.Cost is { } cost and > 0 ? cost : 0;
    }

    // A row that was not sent, or failed for a reason that is not its own, gets no record: the next run sends it.
    private static bool StaysPending(ResponseWrapper outcome) => outcome.Error is { } error
        && (error.FailureScope == FailureScope.Run
            || error.Kind is FailureKind.NotSent or FailureKind.Canceled
            || FailureTable.ActionOn(error.Kind) is FailureAction.StopRun or FailureAction.RetryThenStop);

    private void CountFailure(string id, LlmException error)
    {
        Counts.AddFailure(error);
        options.OnRowFailed?.Invoke(id, error);
    }
}
