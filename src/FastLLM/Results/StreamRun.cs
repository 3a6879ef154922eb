using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace FastLLM.Results;

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
    private volatile bool _exhausted;

    public StreamRun(IAsyncEnumerable<LlmRequest> source, int window, ProgressTracker tracker)
        : base(tracker, remembersAnswers: false)
    {
        _source = source.GetAsyncEnumerator(_ended.Token);
        _window = new SemaphoreSlim(window);
    }

    public override Task Completion => _done.Task;

    public override bool HasMoreRows => !_exhausted;

    /// <summary>The outcomes that have not been handed out yet.</summary>
    public ChannelReader<ResponseWrapper<TResponse>> Outcomes => _outcomes.Reader;

    /// <summary>What the source threw, if it did.</summary>
    public Exception? SourceFault => _fault;

    protected override int MostVerdicts => 1 << 16;

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
            if (!IsStopping && await _source.MoveNextAsync().ConfigureAwait(false))
            {
                LlmRequest request = _source.Current ?? throw new ArgumentException("The stream of requests holds null.");
                return new Row(request, _taken++);
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
    public void HandedOut() => _window.Release();

    public override void Fault(Exception exception)
    {
        _fault ??= exception;
        Finish();
    }

    public override void Close()
    {
        base.Close();
        Finish();
    }

    /// <summary>Lets go of the source, once nobody is reading from it.</summary>
    public async Task LeaveSourceAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        await _source.DisposeAsync().ConfigureAwait(false);
    }

    protected override void LastWorkerEnded()
    {
        if (IsStopping)
        {
            Finish();
        }
        else
        {
            CompleteIfDone();
        }
    }

    private void Exhausted()
    {
        _exhausted = true;
        _ended.Cancel();
        CompleteIfDone();
    }

    private void CompleteIfDone()
    {
        if (_exhausted && Volatile.Read(ref _settled) == Volatile.Read(ref _taken))
        {
            Finish();
        }
    }

    private void Finish()
    {
        _ended.Cancel();
        _outcomes.Writer.TryComplete();
        _done.TrySetResult();
    }
}
