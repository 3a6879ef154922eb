using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Holds back outcomes of which it is not yet known whether the request failed or the whole run. Safe for concurrent
/// use.</summary>
/// <param name="holds">Whether outcomes are held at all.</param>
/// <param name="deliver">Receives held outcomes when their scope is known.</param>
/// <param name="decide">Called when the run was idle for a while, and once more when it was for a minute; with whether this is the last
/// call.</param>
/// <param name="time">The clock.</param>
internal sealed class SuspectBuffer<TResponse>(
    bool holds, Action<ResponseWrapper<TResponse>> deliver, Action<bool> decide, TimeProvider time)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_longPatience = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly List<ResponseWrapper<TResponse>> _held = [];
    private readonly ITimer _timer =
        time.CreateTimer(_ => decide(false), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    private readonly ITimer _lastTimer =
        time.CreateTimer(_ => decide(true), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    private int _count;

    /// <summary>Returns the outcome with its final scope, or holds it and returns <see langword="null"/>.</summary>
    public ResponseWrapper<TResponse>? Pass(ResponseWrapper<TResponse> outcome)
    {
        if (!holds || outcome.Error?.Suspicion is not { } suspicion)
        {
            return outcome;
        }

        lock (_gate)
        {
            if (suspicion.Scope is { } scope)
            {
                return Final(outcome, scope);
            }

            _held.Add(outcome);
            Volatile.Write(ref _count, _held.Count);
            return null;
        }
    }

    /// <summary>Delivers the held outcomes whose scope is known now.</summary>
    /// <param name="otherwise">The scope of those that will stay undecided; <see langword="null"/> to hold them.</param>
    public void Deliver(FailureScope? otherwise = null)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return;
        }

        lock (_gate)
        {
            _held.RemoveAll(outcome =>
            {
                if ((outcome.Error!.Suspicion!.Scope ?? otherwise) is not { } scope)
                {
                    return false;
                }

                deliver(Final(outcome, scope));
                return true;
            });

            // Not earlier: a buffer that looks empty has delivered all.
            Volatile.Write(ref _count, _held.Count);
        }
    }

    /// <summary>Lets a decision be made later, unless the run continues.</summary>
    public void DecideLater()
    {
        _timer.Change(s_patience, Timeout.InfiniteTimeSpan);
        _lastTimer.Change(s_longPatience, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Stops the clock: the run has ended.</summary>
    public void Stop()
    {
        _timer.Dispose();
        _lastTimer.Dispose();
    }

    private static ResponseWrapper<TResponse> Final(ResponseWrapper<TResponse> outcome, FailureScope scope) =>
        scope == FailureScope.Request ? outcome : outcome.WithError(outcome.Error!.WithScope(scope));
}
