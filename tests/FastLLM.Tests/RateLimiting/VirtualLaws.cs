namespace FastLLM.Tests.RateLimiting;

/// <summary>A law by which a simulated provider refuses. Times are seconds.</summary>
internal abstract class VirtualLaw
{
    /// <summary>Decides about a send that arrives.</summary>
    /// <returns>0 if the send is accepted, otherwise the seconds until it would be.</returns>
    public abstract double Refuses(double now, int inFlight, Random random);

    /// <summary>A send that no law refuses has arrived.</summary>
    public virtual void Accept(double now)
    {
    }
}

/// <summary>Refuses a share of all sends, whatever the client does.</summary>
internal sealed class RandomLaw(double share) : VirtualLaw
{
    public override double Refuses(double now, int inFlight, Random random) => random.NextDouble() < share ? 1 : 0;
}

/// <summary>Takes so many at once.</summary>
internal sealed class InFlightLaw(int most) : VirtualLaw
{
    public override double Refuses(double now, int inFlight, Random random) => inFlight < most ? 0 : 1;
}

/// <summary>Takes so many a second, and so many at once after a pause.</summary>
internal sealed class BucketLaw(double perSecond, double burst) : VirtualLaw
{
    private double _used;
    private double _at;

    public override double Refuses(double now, int inFlight, Random random)
    {
        _used = Math.Max(0, _used - ((now - _at) * perSecond));
        _at = now;
        double missing = _used + 1 - burst;
        return missing <= 1e-9 ? 0 : missing / perSecond;
    }

    public override void Accept(double now) => _used++;
}

/// <summary>Takes so many in each window by the clock.</summary>
internal sealed class WindowLaw(int most, double seconds, double phase = 0) : VirtualLaw
{
    private long _window = -1;
    private int _used;

    public override double Refuses(double now, int inFlight, Random random)
    {
        var window = (long)((now + phase) / seconds);
        (_window, _used) = window == _window ? (_window, _used) : (window, 0);
        return _used < most ? 0 : ((window + 1) * seconds) - now - phase;
    }

    public override void Accept(double now) => _used++;
}

/// <summary>Takes so many in any interval of so many seconds.</summary>
internal sealed class SlidingLaw(int most, double seconds) : VirtualLaw
{
    private readonly Queue<double> _accepted = new();

    public override double Refuses(double now, int inFlight, Random random)
    {
        while (_accepted.Count > 0 && _accepted.Peek() <= now - seconds)
        {
            _accepted.Dequeue();
        }

        return _accepted.Count < most ? 0 : _accepted.Peek() + seconds - now;
    }

    public override void Accept(double now) => _accepted.Enqueue(now);
}

/// <summary>Several laws at once.</summary>
internal sealed class LawsTogether(params VirtualLaw[] laws) : VirtualLaw
{
    public override double Refuses(double now, int inFlight, Random random)
    {
        double wait = 0;
        foreach (VirtualLaw law in laws)
        {
            wait = Math.Max(wait, law.Refuses(now, inFlight, random));
        }

        return wait;
    }

    public override void Accept(double now)
    {
        foreach (VirtualLaw law in laws)
        {
            law.Accept(now);
        }
    }
}

/// <summary>One law until a moment, another one from then on.</summary>
internal sealed class LawChange(VirtualLaw before, double at, VirtualLaw after) : VirtualLaw
{
    public override double Refuses(double now, int inFlight, Random random) => (now < at ? before : after).Refuses(now, inFlight, random);

    public override void Accept(double now) => (now < at ? before : after).Accept(now);
}
