namespace FastLLM.RateLimiting;

/// <summary>Announces what is sent before it is, about once a second, so that a process that is killed leaves no less than it has
/// sent.</summary>
internal sealed class SentAnnouncer(
    string model, IReadOnlyList<MinuteLimit?> limits, DailyQuota? day, Action<SentMinute> announce)
{
    /// <summary>How long an announcement holds, in seconds.</summary>
    public const double Ahead = 1;

    private const int Seconds = 62;

    // Of the day's requests, a thousandth may be lost by a kill.
    private readonly long _dayAhead = Math.Max(1, (day?.PerDay ?? 0) / 1000);
    private readonly double[] _left = new double[limits.Count];
    private double _until = double.NegativeInfinity;
    private long _dayLeft;

    /// <summary>Announces more, if what is left of the last announcement does not cover what was just taken.</summary>
    public void Took(double now, params ReadOnlySpan<double> amounts)
    {
        bool isCovered = now < _until && (day is null || --_dayLeft >= 0);
        for (var i = 0; i < amounts.Length; i++)
        {
            _left[i] -= amounts[i];
            isCovered &= limits[i] is null || _left[i] >= 0;
        }

        if (!isCovered)
        {
            for (var i = 0; i < amounts.Length; i++)
            {
                _left[i] = (limits[i]?.PerMinute ?? 0) / 60.0 * Ahead;
            }

            _until = now + Ahead;
            _dayLeft = _dayAhead - 1;
            Announce(now, _left, _dayLeft);
        }
    }

    /// <summary>Announces that nothing more is sent.</summary>
    public void End(double now)
    {
        _until = double.NegativeInfinity;
        Announce(now, new double[limits.Count], dayAhead: 0);
    }

    /// <summary>Counts what an earlier process has sent.</summary>
    /// <param name="sent">What it left.</param>
    /// <param name="limits">The limits of the model.</param>
    /// <param name="now">The moment.</param>
    /// <param name="age">How long ago it was announced, in seconds.</param>
    public static void Restore(SentMinute sent, IReadOnlyList<MinuteLimit?> limits, double now, double age)
    {
        for (var i = 0; i < limits.Count && i < sent.Amounts.Count; i++)
        {
            for (var k = 0; k < sent.Amounts[i].Length; k++)
            {
                // Each second counts from its end.
                double ago = Math.Max(0, k == 0 ? age - Ahead : age + k - 1);
                if (ago < MinuteWindow.Length && sent.Amounts[i][k] > 0)
                {
                    limits[i]?.Add(now - ago, sent.Amounts[i][k]);
                }
            }
        }
    }

    private void Announce(double now, double[] ahead, long dayAhead)
    {
        var amounts = new double[limits.Count][];
        for (var i = 0; i < amounts.Length; i++)
        {
            amounts[i] = limits[i] is null ? [] : new double[Seconds + 1];
            if (limits[i] is { } limit)
            {
                limit.CopyTo(now, amounts[i].AsSpan(1));
                amounts[i][0] = ahead[i];
            }
        }

        announce(new SentMinute(model, amounts) { Day = day?.Sent(now, dayAhead) });
    }
}
