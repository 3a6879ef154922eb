namespace FastLLM.TestKit;

/// <summary>Watches one test: cancels it at its limit, and ends the process where it still runs at twice the limit.</summary>
public sealed class TimeLimit : IDisposable
{
    private readonly string _message;
    private readonly Action _cancel;
    private readonly Action<string> _end;
    private readonly ITimer _timer;
    private int _expired;

    /// <param name="test">The test's name.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancel">Cancels the test.</param>
    /// <param name="end">Ends the process with a message.</param>
    public TimeLimit(string test, TimeSpan limit, TimeProvider time, Action cancel, Action<string> end)
    {
        _message = $"The test {test} exceeded its limit of {limit}.";
        _cancel = cancel;
        _end = end;
        _timer = time.CreateTimer(static self => ((TimeLimit)self!).Expire(), this, limit, limit);
    }

    /// <summary>Stops watching.</summary>
    /// <exception cref="TimeoutException">The limit was exceeded.</exception>
    public void Dispose()
    {
        _timer.Dispose();
        if (Volatile.Read(ref _expired) > 0)
        {
            throw new TimeoutException(_message);
        }
    }

    private void Expire()
    {
        if (Interlocked.Increment(ref _expired) == 1)
        {
            _cancel();
        }
        else
        {
            _end(_message);
        }
    }
}
