namespace FastLLM.Mapping;

/// <summary>Ends a call in two steps: first nothing more is sent for it, then it is given up.</summary>
internal sealed class CallDeadline : IDisposable
{
    private readonly CancellationTokenSource _late = new();
    private readonly CancellationTokenSource _over;
    private readonly ITimer? _timer;

    /// <summary>Creates a deadline.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="wait">When nothing more is sent; infinite for never.</param>
    /// <param name="send">How much longer a send under way may take.</param>
    /// <param name="cancellationToken">Gives the call up at once.</param>
    public CallDeadline(TimeProvider time, TimeSpan wait, TimeSpan send, CancellationToken cancellationToken)
    {
        _over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        if (wait != Timeout.InfiniteTimeSpan)
        {
            _timer = time.CreateTimer(static state => ((CallDeadline)state!).Tick(), this, wait, send);
        }
    }

    /// <summary>Gets the token that fires when nothing more is to be sent.</summary>
    public CancellationToken Late => _late.Token;

    /// <summary>Gets the token that fires when the call is given up.</summary>
    public CancellationToken Over => _over.Token;

    /// <summary>Gives the call up.</summary>
    public void End() => _over.Cancel();

    public void Dispose()
    {
        _timer?.Dispose();
        _late.Dispose();
        _over.Dispose();
    }

    private void Tick()
    {
        try
        {
            (_late.IsCancellationRequested ? _over : _late).Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The call has just ended.
        }
    }
}
