using System.Collections.Concurrent;
using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;
using FastLLM.Retries;

namespace FastLLM;

// Where outcomes go: each is written as it comes, by one reader of the stream of outcomes.
public sealed partial class Job
{
    private readonly ConcurrentDictionary<long, RowInFlight> _inFlight = new();
    private readonly Dictionary<FailureKind, (long Count, string Example)> _failures = [];
    private readonly Dictionary<string, long> _finishReasons = new(StringComparer.Ordinal);
    private readonly Lock _writing = new();
    private RowSink _sink = RowSink.None;
    private long _sequence;
    private long _answered;
    private long _failed;

    private async Task<JobResult> SendAndWriteAsync(CancellationToken drain, CancellationToken cancellationToken)
    {
        using var stopSending = CancellationTokenSource.CreateLinkedTokenSource(drain);
        LlmRunException? stopped = null;
        Exception? writeFault = null;
        var interrupted = false;
        long? total = InputIsPipe ? null : _rows - _kept;
        _options.OnPlanned?.Invoke(InputIsPipe ? null : _rows, _kept);
        if (total != 0)
        {
            try
            {
                _run = _manager.Open(
                    PendingAsync(stopSending.Token), _settings with { Total = total, Drain = stopSending.Token, HoldsSuspects = true }, cancellationToken);
                await foreach (ResponseWrapper<LlmResponse> outcome in _run.Outcomes.ConfigureAwait(false))
                {
                    if (writeFault is null && !TryWriteRow(outcome, out writeFault))
                    {
                        // Nothing more is paid for that cannot be written; what is in flight is waited for.
                        await stopSending.CancelAsync().ConfigureAwait(false);
                    }
                }
            }
            catch (LlmRunException e)
            {
                stopped = drain.IsCancellationRequested && e.Kind == FailureKind.NotSent ? null : e;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                interrupted = _isAborted = true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // A wrong line that could not be written, or an input that cannot be read any more.
                writeFault = e;
            }
            catch (InvalidDataException e)
            {
                stopped = StoppedBy(FailureKind.InvalidRequest, e.Message, e);
            }
        }

        try
        {
            _sink.Flush();
        }
        catch (IOException e)
        {
            writeFault ??= e;
        }

        stopped = writeFault is null ? stopped : StoppedBy(FailureKind.Output, $"Reading {_options.Input} and writing {_shape.Log} failed: {writeFault.Message}", writeFault);
        return new JobResult
        {
            Rows = _rows,
            Kept = _kept,
            Answered = _answered,
            Failed = _keptFailures + _failed,
            Pending = Math.Max(0, _rows - _kept - _answered - _failed),
            Equal = _equal,
            Failures = _failures,
            FinishReasons = _finishReasons,
            Cost = Paid,
            JobCost = Paid,
            Budget = _manager.Options.Budget,
            Stats = _run?.Stats ?? new TokenStats(),
            Stopped = stopped,
            Interrupted = interrupted || drain.IsCancellationRequested,
        };
    }

    private bool TryWriteRow(ResponseWrapper<LlmResponse> outcome, out Exception? fault)
    {
        fault = null;
        if (!_inFlight.TryRemove(outcome.OrderId, out RowInFlight row) || StaysPending(outcome))
        {
            return true;
        }

        KillPoint.Reached(KillPoint.AfterCommitBeforeOutput);
        try
        {
            lock (_writing)
            {
                _sink.Write(row.Place, _record.Write(row.Id, outcome, row.Metadata.Span).Span);
                NoteWritten(outcome);
                Count(row.Id, outcome);
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = e;
            return false;
        }
    }

    // What was not sent, and what failed for a reason that is not the row's, is asked by the next run: it gets no record.
    private static bool StaysPending(ResponseWrapper outcome) => outcome.Error is { } error
        && (error.FailureScope == FailureScope.Run
            || error.Kind is FailureKind.NotSent or FailureKind.Canceled
            || FailureTable.ActionOn(error.Kind) is FailureAction.StopRun or FailureAction.RetryThenStop);

    private void WriteInvalid(int place, string id, ReadOnlyMemory<byte> metadata, string error)
    {
        lock (_writing)
        {
            _sink.Write(place, _record.WriteInvalid(id, error, metadata.Span).Span);
            CountFailure(id, new LlmException(FailureKind.InvalidRequest, error));
        }
    }

    private void Count(string id, ResponseWrapper<LlmResponse> outcome)
    {
        if (outcome.Error is { } error)
        {
            CountFailure(id, error);
            return;
        }

        _answered++;
        if (outcome.Response is ChatCompletion { FinishReason: { } reason })
        {
            _finishReasons[reason] = _finishReasons.GetValueOrDefault(reason) + 1;
        }
    }

    private void CountFailure(string id, LlmException error)
    {
        _failed++;
        (long count, string? example) = _failures.GetValueOrDefault(error.Kind);
        _failures[error.Kind] = (count + 1, example ?? error.Message);
        _options.OnRowFailed?.Invoke(id, error);
    }
}
