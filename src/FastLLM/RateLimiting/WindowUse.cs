namespace FastLLM.RateLimiting;

/// <summary>Uses up the windows of a provider that counts by windows: each one soon after it opens, slowly at first, and with hardly more
/// than it takes. Does nothing until windows are known.</summary>
/// <param name="firstAt">When the first send began.</param>
internal sealed class WindowUse(double firstAt)
{
    // A window that has opened is used twice as fast as evenly at first, and one that should be used up is tried ten times a second.
    private const double RateAtFirst = 2;
    private const double RateOnceUsedUp = 10;

    // 20 to 1 that most of the last sends are refused by more than noise.
    private const double Certainty = 3;

    private readonly SendRamp _ramp = new();

    /// <summary>Gets what is known of the windows.</summary>
    public WindowQuota Quota { get; } = new(firstAt);

    /// <summary>Gets how long the next send must wait; 0 if it may go.</summary>
    public double Wait(SendCounter sends, double now) => _ramp.Wait(sends, now);

    /// <summary>A window has opened, or is open after all.</summary>
    public void Begin(SendCounter sends, double now) => _ramp.Start(sends, Quota.Rate * RateAtFirst, now);

    /// <summary>A send begins.</summary>
    public void Sent(SendCounter sends, long accepted, double now)
    {
        if (Quota.TryUseUp(accepted))
        {
            _ramp.Start(sends, RateOnceUsedUp, now);
        }
    }

    /// <summary>A send was refused. Where that may be noise, only far more of it slows the beginning of a window down.</summary>
    public void Refused(SendCounter sends, long accepted, NoiseFloor floor, double now)
    {
        if (!floor.WasNoisy || (Quota.IsFresh(accepted) && IsClearlyMoreThan(floor, sends)))
        {
            _ramp.Refuse(sends, now);
        }
    }

    /// <summary>Everything is refused: tells the closure when it may end.</summary>
    public void Closed(Closure closure, long accepted)
    {
        if (Quota.IsKnown)
        {
            closure.Opening.Set(Quota.NextAt, Quota.IsNextKnown, Quota.IsUsedUp(accepted));
        }
    }

    /// <summary>Drops what is known where it does not hold any more.</summary>
    public void Advance(long accepted, double now)
    {
        if (Quota.TryEnd(accepted, now))
        {
            _ramp.Stop();
        }
    }

    private static bool IsClearlyMoreThan(NoiseFloor floor, SendCounter sends) => ShareTest.Judge(
        sends.Count - sends.Settled, sends.RefusedUnsettled, floor.Share, floor.Most, Certainty) == ShareLevel.High;
}
