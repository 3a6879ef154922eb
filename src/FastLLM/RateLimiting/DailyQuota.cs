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

    /// <summary>Gets what was sent of the day, with some requests that may follow.</summary>
    public SentDay Sent(double now, long ahead) => new(Math.Min(_used + ahead, PerDay), (_endsAt ?? (now + Day)) - now);

    /// <summary>Counts what an earlier process has sent.</summary>
    /// <param name="now">The moment.</param>
    /// <param name="sent">What it has sent.</param>
    /// <param name="age">How long ago it said so, in seconds.</param>
    public void Restore(double now, SentDay sent, double age)
    {
        double left = Math.Min(sent.EndsIn, Day) - age;
        if (left > 0 && sent.Used > 0)
        {
            _used = Math.Min(_used + sent.Used, PerDay);
            _endsAt = Math.Max(_endsAt ?? 0, now + left);
        }
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
