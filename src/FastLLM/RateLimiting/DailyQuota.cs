namespace FastLLM.RateLimiting;

/// <summary>The requests of a day, counted from the first send.</summary>
internal sealed class DailyQuota(long perDay)
{
    private const double Day = 86_400;

    private double? _endsAt;
    private long _used;

    public long PerDay { get; } = perDay;

    /// <summary>Gets the requests since the process began.</summary>
    public long Taken { get; private set; }

    /// <summary>How long until one may be sent; 0 for now.</summary>
    public double Wait(double now)
    {
        if (now >= _endsAt)
        {
            _endsAt = null;
            _used = 0;
        }

        return _used < PerDay ? 0 : _endsAt!.Value - now;
    }

    public void Take(double now)
    {
        _endsAt ??= now + Day;
        _used++;
        Taken++;
    }

    public void Return()
    {
        _used = Math.Max(0, _used - 1);
        Taken--;
    }

    /// <summary>Believes the provider that no more than this is left, and when there will be more.</summary>
    public void Correct(double now, double remaining, double? reset)
    {
        long used = PerDay - (long)Math.Min(remaining, PerDay);
        if (used <= _used)
        {
            return;
        }

        _used = used;
        _endsAt = used >= PerDay && reset is { } wait ? now + wait : _endsAt ?? (now + Day);
    }
}
