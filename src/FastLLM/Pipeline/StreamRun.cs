using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace FastLLM.Pipeline;

/// <summary>A run over a stream without end, whose outcomes are handed out as they come.</summary>
/// <remarks>No more rows are taken than are in flight, back off, or wait for the consumer, so that memory does not grow with the stream.</remarks>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "None of them holds more than memory, and workers may still look at them when the run has ended.")]
internal sealed class StreamRun<TResponse> : Run<TResponse>
{
    private readonly IAsyncEnumerator<LlmRequest> _source;
    private readonly CancellationTokenSource _ended = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly SemaphoreSlim _window;
    private readonly Channel<ResponseWrapper<TResponse>> _outcomes = Channel.CreateUnbounded<ResponseWrapper<TResponse>>(new() { SingleReader = true });
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Exception? _fault;
    private long _taken;
    private long _settled;
    private long _handedOut;
    private volatile bool _exhausted;

    public StreamRun(IAsyncEnumerable<LlmRequest> source, int window, ProgressTracker tracker, bool asksWhoseFault)
        : base(tracker, remembersAnswers: false, asksWhoseFault)
    {
        _source = source.GetAsyncEnumerator(_ended.Token);
        _window = new SemaphoreSlim(window);
    }

    public override Task Completion => _done.Task;

    public override bool HasMoreRows => !_exhausted;

    /// <remarks>The window is full, and not only of rows that are under way.</remarks>
    public override bool IsHeldUpByConsumer => _window.CurrentCount == 0 && Volatile.Read(ref _settled) > Volatile.Read(ref _handedOut);

    /// <summary>The outcomes that have not been handed out yet.</summary>
    public ChannelReader<ResponseWrapper<TResponse>> Outcomes => _outcomes.Reader;

    /// <summary>What the source threw, if it did.</summary>
    public Exception? SourceFault => _fault;

    protected override int MaxRemembered => 1 << 16;

    public override async ValueTask<Row> NextAsync()
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
            if (IsStopping || _exhausted)
            {
                return default;
            }

            await _window.WaitAsync(_ended.Token).ConfigureAwait(false);
            if (!IsStopping && await _source.MoveNextAsync().ConfigureAwait(false) && !IsStopping)
            {
                LlmRequest request = _source.Current ?? throw new ArgumentException("The stream of requests holds null.");
                return new Row(request, Interlocked.Increment(ref _taken) - 1);
            }

            Exhausted();
            return default;
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            return default;
        }
        catch (Exception e)
        {
            // The rows that were taken are seen through; then the consumer gets to see what its source threw.
            _fault = e;
            Exhausted();
            return default;
        }
        finally
        {
            _turn.Release();
        }
    }

    public override void Settle(ResponseWrapper<TResponse> outcome)
    {
        _outcomes.Writer.TryWrite(outcome);
        Interlocked.Increment(ref _settled);
        CompleteIfDone();
    }

    /// <summary>The consumer took an outcome, which makes room for a row.</summary>
    public void HandedOut()
    {
        Interlocked.Increment(ref _handedOut);
        _window.Release();
    }

    public override void Fault(Exception exception)
    {
        _fault ??= exception;
        Close();
        Finish();
    }

    public override bool Stop(LlmException cause)
    {
        bool first = base.Stop(cause);
        _ = _ended.CancelAsync();
        CompleteIfDone();
        return first;
    }

    public override void End() => Finish();

    /// <summary>Lets go of the source: at once where nobody is reading from it, else as soon as the reader is back.</summary>
    public async Task LeaveSourceAsync()
    {
        if (_turn.Wait(0, CancellationToken.None))
        {
            await _source.DisposeAsync().ConfigureAwait(false);
            return;
        }

        // Not awaited: a source that does not listen to its token must not hold up the consumer that has left.
        _ = LeaveLaterAsync();
    }

    private async Task LeaveLaterAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        await _source.DisposeAsync().ConfigureAwait(false);
    }

    private void Exhausted()
    {
        _exhausted = true;
        CompleteIfDone();
    }

    private void CompleteIfDone()
    {
        if ((_exhausted || IsStopping) && Volatile.Read(ref _settled) >= Volatile.Read(ref _taken))
        {
            Finish();
        }
    }

    private void Finish()
    {
        _outcomes.Writer.TryComplete();
        _done.TrySetResult();
        _ = _ended.CancelAsync();
    }
}
