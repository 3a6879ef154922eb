using FastLLM.Diagnostics;
using FastLLM.Pipeline;

namespace FastLLM;

// Step 8, record: written, then acknowledged; and how much may be under way to the disk.
public partial class RequestManager<TResponse>
{
    private const long MaxUnrecordedBytes = 64L << 20;

    private static readonly TimeSpan LongestUnrecorded = TimeSpan.FromMilliseconds(5);

    private long _unrecordedBytes;
    private int _unrecorded;
    private long _unrecordedSince;

    // Not given up for callers who leave: it was paid for.
    private async ValueTask RecordAsync(Worker worker, Run<TResponse> run, LlmRequest request, CacheProvider cache)
    {
        ReadOnlyMemory<byte> bytes;
        try
        {
            bytes = _provider.Write(worker.Outcome.Response!);
        }
        catch (Exception e)
        {
            _logger.AnswerNotKept(e);
            return;
        }

        try
        {
            var entry = new CacheEntry(bytes, _scope, 200, _time.GetUtcNow()) { Model = request.Model };
            ValueTask put = cache.PutAsync(worker.InFlightRequest.Key, entry, CancellationToken.None);
            if (put.IsCompleted)
            {
                await put.ConfigureAwait(false);
            }
            else
            {
                await UntilRecordedAsync(put.AsTask(), run, bytes.Length).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            // The answer is handed out, and the run ends before it pays for more that cannot be kept.
            worker.Outcome.StopCause = CacheFailure(e, "recorded");
        }
    }

    // No lease is held, so that another row may be sent meanwhile. But what a kill takes is what has not been recorded: never more than a few milliseconds of it.
    private async Task UntilRecordedAsync(Task put, Run<TResponse> run, int bytes)
    {
        if (Interlocked.Increment(ref _unrecorded) == 1)
        {
            Volatile.Write(ref _unrecordedSince, _time.GetTimestamp());
        }

        bool isStoodInFor = Interlocked.Add(ref _unrecordedBytes, bytes) <= MaxUnrecordedBytes
            && _time.GetElapsedTime(Volatile.Read(ref _unrecordedSince)) <= LongestUnrecorded;
        if (isStoodInFor)
        {
            StandIn(run);
        }

        try
        {
            await put.ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Add(ref _unrecordedBytes, -bytes);
            Interlocked.Decrement(ref _unrecorded);
            Volatile.Write(ref _unrecordedSince, _time.GetTimestamp()); // those behind it came while it was written
            if (isStoodInFor)
            {
                run.WorkerIsBack();
            }
        }
    }
}
