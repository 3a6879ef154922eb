namespace FastLLM.Cli;

/// <summary>Measures the rate of the last ten seconds.</summary>
internal sealed class RecentRate
{
    private const double Window = 10;
    private const double Spacing = 0.5;

    private readonly Queue<(double Seconds, long Count)> _samples = new([(0, 0)]);
    private (double Seconds, long Count) _last;

    /// <summary>Notes a count.</summary>
    /// <returns>The rate per second; <see langword="null"/> within the first half second.</returns>
    public double? Note(TimeSpan elapsed, long count)
    {
        double now = elapsed.TotalSeconds;
        if (now - _last.Seconds >= Spacing)
        {
            _last = (now, count);
            _samples.Enqueue(_last);
        }

        while (_samples.Count > 1 && now - _samples.Peek().Seconds > Window)
        {
            _samples.Dequeue();
        }

        (double since, long before) = _samples.Peek();
        return now - since < Spacing ? null : Math.Max(0, count - before) / (now - since);
    }
}
