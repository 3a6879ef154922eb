namespace FastLLM.RateLimiting;

/// <summary>Limits the sends of one model to what its provider takes, by whatever law the provider refuses.</summary>
/// <remarks>
/// <para>Costs next to nothing until the first refusal: two counters. Not safe for concurrent use. Times are seconds on a clock that never
/// goes back.</para>
/// <para>A wait that a refusal asks for binds the request that got it, which is up to the caller. Here it is only a hint when to probe
/// while everything is refused.</para>
/// </remarks>
/// <param name="ceiling">The most in flight, never exceeded.</param>
/// <param name="slowStart">Whether to start with few in flight and double them while nothing is refused; otherwise the ceiling is the
/// start.</param>
/// <param name="seesAll">Whether no other process shares the limit. How refusals are spread over a part of the sends shows nothing.</param>
internal sealed class LearningLimiter(int ceiling, bool slowStart, bool seesAll = true)
{
    // However few are allowed in flight: so long without a send would look like a hang. The send it allows is also a probe.
    private const double LongestPause = 5;

    private readonly SendCounter _sends = new(seesAll);
    private readonly HeldLimits _limits = new(new InFlightCap(ceiling, slowStart), new Pacer());
    private LawSearch? _search;
    private double _firstAt = double.NaN;
    private double _lastAt;

    /// <summary>Gets the number of sends in flight.</summary>
    public int InFlight => _sends.InFlight;

    /// <summary>Gets the most that may be in flight at this moment.</summary>
    public int Limit => _limits.Cap.Value;

    /// <summary>Gets the law by which the provider refuses, as far as it is known.</summary>
    public ThrottlingLaw Law => _search?.Law ?? default;

    /// <summary>Gets a value indicating whether anything was refused yet: before that, the times of answers do not matter.</summary>
    public bool NeedsTime => _search is not null;

    /// <summary>Gets how long the next send must wait.</summary>
    /// <param name="now">The time.</param>
    /// <param name="block">What it waits for.</param>
    /// <returns>0 if it may go; infinity if only the end of a send can change that. Ask again when the time is over and whenever a send
    /// ends.</returns>
    public double Wait(double now, out BlockReason block)
    {
        block = BlockReason.Concurrency;
        _search?.Advance(now);
        if (_sends.InFlight >= ceiling)
        {
            return double.PositiveInfinity;
        }

        double wait;
        if (_search is null)
        {
            wait = _sends.InFlight < _limits.Cap.Value ? 0 : WaitInSlowStart(now);
        }
        else if (_search.Closure.IsClosed)
        {
            block = BlockReason.Closed;
            wait = _search.Closure.Wait(now, _sends.RefusalDelay);
        }
        else if (_search.Window.Wait(_sends, now) is > 0 and var rest && _lastAt + LongestPause > now)
        {
            wait = Math.Min(rest, _lastAt + LongestPause - now);
        }
        else if (_sends.InFlight + (_search.Seen.Floor.IsNoisy ? 0 : _sends.RefusedUnsettled) >= _limits.Cap.Value)
        {
            // A slot that a refusal left is not used at once: where that is no chance, the next send would be refused as well.
            _limits.Cap.HasHeldBack = true;
            double latest = _lastAt + LongestPause;
            double until = _sends.InFlight < _limits.Cap.Value ? Math.Min(_sends.SettlesAt, latest) : latest;
            wait = Math.Max(0, until - now);
        }
        else
        {
            block = BlockReason.Requests;
            wait = _limits.Pacer.Wait(now);
        }

        block = wait > 0 ? block : BlockReason.None;
        return wait;
    }

    /// <summary>A send begins.</summary>
    /// <returns>What to hand back when it ends.</returns>
    public SendMark Sent(double now)
    {
        _firstAt = double.IsNaN(_firstAt) ? now : _firstAt;
        _lastAt = now;
        SendMark mark = _sends.Begin(now);
        if (_search is not null)
        {
            _limits.Pacer.Sent(now);
            _search.Sent(mark);
        }

        return mark;
    }

    /// <summary>A send was answered, well or badly: the provider took it.</summary>
    public void Answered(in SendMark mark, double now)
    {
        _sends.End();
        if (_search?.IsHolding ?? true)
        {
            _limits.Cap.Answered();
        }

        _search?.Answered(mark, now);
    }

    /// <summary>A send was refused because of the load (429, 503, 529).</summary>
    /// <param name="mark">The send.</param>
    /// <param name="now">The time.</param>
    /// <param name="retryAfter">The seconds that the provider asks to wait; 0 if it does not.</param>
    public void Refused(in SendMark mark, double now, double retryAfter)
    {
        _sends.End();
        _sends.Refuse(mark, now);
        _search ??= new LawSearch(_sends, _limits, _firstAt, seesAll);
        _search.Refused(mark, now, retryAfter);
    }

    /// <summary>A send failed, or did not go: that says nothing about limits.</summary>
    public void Failed(in SendMark mark, double now)
    {
        _sends.End();
        _search?.Failed(mark, now);
    }

    /// <summary>A send ended: it was refused, answered, or neither.</summary>
    public void Ended(in SendMark mark, double now, bool isRefused, bool isAnswered, double retryAfter)
    {
        if (isRefused)
        {
            Refused(mark, now, retryAfter);
        }
        else if (isAnswered)
        {
            Answered(mark, now);
        }
        else
        {
            Failed(mark, now);
        }
    }

    /// <summary>The provider is down: the last refusals were no limit's. What was known before holds again.</summary>
    public void Forgive(double now) => _search?.Forgive(now);

    /// <summary>Gets the limits as they are now.</summary>
    public Limits Limits => _limits.Current;

    /// <summary>Gets a value indicating whether nothing is being tried and nothing is closed.</summary>
    public bool IsHolding => _search?.IsHolding ?? true;

    /// <summary>Gets a value indicating whether it is tried whether more is accepted.</summary>
    public bool IsTryingMore => _search?.IsTryingMore ?? false;

    /// <summary>Gets a value indicating whether only probes are sent.</summary>
    public bool IsClosed => _search?.Closure.IsClosed ?? false;

    /// <summary>Continues with limits that were learned elsewhere.</summary>
    /// <param name="limits">The limits.</param>
    /// <param name="noise">The share of sends that is refused at random.</param>
    /// <param name="follows">Whether to hold them, rather than learn on from there.</param>
    /// <param name="hasGrown">Whether they are far higher than before, so that there may be still more.</param>
    /// <param name="now">The time.</param>
    public void Adopt(in Limits limits, double noise, bool follows, bool hasGrown, double now)
    {
        _search ??= new LawSearch(_sends, _limits, double.IsNaN(_firstAt) ? now : _firstAt, seesAll);
        _search.Adopt(limits, noise, follows, hasGrown, now);
    }

    /// <summary>A send begins from which nothing is learned.</summary>
    public void SentAside() => _sends.BeginAside();

    /// <summary>A send ends from which nothing is learned.</summary>
    public void EndedAside() => _sends.End();

    // Where answers take long, that nothing was refused for a while must do.
    private double WaitInSlowStart(double now)
    {
        double wait = _lastAt + LongestPause - now;
        if (wait > 0)
        {
            return wait;
        }

        _limits.Cap.Double();
        return _sends.InFlight < _limits.Cap.Value ? 0 : LongestPause;
    }
}
