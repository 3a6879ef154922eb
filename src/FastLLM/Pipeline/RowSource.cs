using System.Diagnostics.CodeAnalysis;

namespace FastLLM.Pipeline;

/// <summary>Reads the rows of a stream, one reader at a time, and only as far as the window allows, so that memory does not grow with the
/// stream.</summary>
/// <param name="rows">The rows.</param>
/// <param name="window">How many rows may be in flight, back off, or wait for the consumer.</param>
/// <param name="exhausted">Called when the stream has ended.</param>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "None of them holds more than memory, and workers may still use them when the run has ended.")]
internal sealed class RowSource(IAsyncEnumerable<LlmRequest> rows, int window, Action exhausted)
{
    private readonly CancellationTokenSource _ended = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly SemaphoreSlim _window = new(window);
    private IAsyncEnumerator<LlmRequest>? _rows;
    private long _taken;
    private volatile bool _isExhausted;
    private volatile bool _isAwaited;

    /// <summary>Gets how many rows were taken.</summary>
    public long Taken => Volatile.Read(ref _taken);

    /// <summary>Gets a value indicating whether there are no more rows.</summary>
    public bool IsExhausted => _isExhausted;

    /// <summary>Gets a value indicating whether the stream has been asked for a row that it does not have yet.</summary>
    public bool IsAwaited => _isAwaited;

    /// <summary>Gets a value indicating whether the window is full.</summary>
    public bool IsFull => _window.CurrentCount == 0;

    /// <summary>Gets what the stream threw, if it did.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>Takes the next row; an empty one if there are no more, or the run takes none any more.</summary>
    public async ValueTask<Row> NextAsync()
    {
        try
        {
            await _turn.WaitAsync(_ended.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return default;
        }

        try
        {
            if (_ended.IsCancellationRequested || _isExhausted)
            {
                return default;
            }

            await _window.WaitAsync(_ended.Token).ConfigureAwait(false);
            _rows ??= rows.GetAsyncEnumerator(_ended.Token);
            if (!_ended.IsCancellationRequested && await MoveNextAsync(_rows).ConfigureAwait(false) && !_ended.IsCancellationRequested)
            {
                LlmRequest request = _rows.Current ?? throw new ArgumentException("The stream of requests holds null.");
                return new Row(request, Interlocked.Increment(ref _taken) - 1);
            }

            _isExhausted = true;
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            return default;
        }
        catch (Exception e)
        {
            // The rows that were taken are seen through; then the consumer gets what its stream threw.
            Fault = e;
            _isExhausted = true;
        }
        finally
        {
            _turn.Release();
        }

        exhausted();
        return default;
    }

    /// <summary>Makes room for a row.</summary>
    public void Free() => _window.Release();

    /// <summary>Takes no more rows.</summary>
    public void End() => _ = _ended.CancelAsync();

    /// <summary>Disposes the stream: at once if it is not being read, otherwise as soon as that reader returns.</summary>
    public async Task LeaveAsync()
    {
        if (_turn.Wait(0, CancellationToken.None))
        {
            await DisposeAsync().ConfigureAwait(false);
            return;
        }

        // Not awaited: a stream that ignores its token must not hold up the consumer that has left.
        _ = LeaveLaterAsync();
    }

    private ValueTask<bool> MoveNextAsync(IAsyncEnumerator<LlmRequest> rows)
    {
        ValueTask<bool> next = rows.MoveNextAsync();
        return next.IsCompleted ? next : AwaitAsync(next);

        async ValueTask<bool> AwaitAsync(ValueTask<bool> next)
        {
            _isAwaited = true;
            try
            {
                return await next.ConfigureAwait(false);
            }
            finally
            {
                _isAwaited = false;
            }
        }
    }

    private async Task LeaveLaterAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        await DisposeAsync().ConfigureAwait(false);
    }

    private ValueTask DisposeAsync() => _rows?.DisposeAsync() ?? default;
}
