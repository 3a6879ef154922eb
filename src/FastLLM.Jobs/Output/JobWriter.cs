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
    private readonly List<ResponseWrapper<LlmResponse>> _suspects = [];
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

    /// <summary>Writes an outcome, or holds it back until it is known whether it is the row's own.</summary>
    /// <returns>The cost that the written records state.</returns>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public decimal Write(ResponseWrapper<LlmResponse> outcome)
    {
        decimal cost = WriteSuspects(isOver: false);
        if (outcome.Error is { FailureScope: FailureScope.Suspected })
        {
            // If the provider refuses all rows like this one, the next run sends it again, and it must not be in the output as failed.
            _suspects.Add(outcome);
            return cost;
        }

        return cost + WriteRow(outcome);
    }

    /// <summary>Writes what was held back, and flushes the sink.</summary>
    /// <param name="isOver">Whether the run has come to its end, so that failures that were held back are the rows' own.</param>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public void End(bool isOver)
    {
        try
        {
            if (isOver)
            {
                WriteSuspects(isOver: true);
            }
        }
        finally
        {
            sink.Flush();
        }
    }

    private decimal WriteSuspects(bool isOver)
    {
        decimal cost = 0;
        for (var i = 0; i < _suspects.Count; i++)
        {
            ResponseWrapper<LlmResponse> row = _suspects[i];
            if (isOver && row.Error is { FailureScope: FailureScope.Suspected } failure)
            {
                failure.FailureScope = FailureScope.Own;
            }
            else if (row.Error is { FailureScope: FailureScope.Suspected })
            {
                continue;
            }

            _suspects.RemoveAt(i--);
            cost += WriteRow(row);
        }

        return cost;
    }

    private decimal WriteRow(ResponseWrapper<LlmResponse> outcome)
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
        && (error.FailureScope == FailureScope.Everybody
            || error.Kind is FailureKind.NotSent or FailureKind.Canceled
            || FailureTable.ActionOn(error.Kind) is FailureAction.StopRun or FailureAction.RetryThenStop);

    private void CountFailure(string id, LlmException error)
    {
        Counts.AddFailure(error);
        options.OnRowFailed?.Invoke(id, error);
    }
}
