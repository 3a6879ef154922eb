namespace FastLLM.Progress;

/// <summary>Tracks time per bottleneck. Call it on every change; without a change it costs a comparison.</summary>
internal sealed class BottleneckMonitor(TimeProvider time, Bottleneck first)
{
    private readonly Lock _gate = new();
    private readonly double[] _seconds = new double[(int)Bottleneck.Budget + 1];
    private long _since = time.GetTimestamp();
    private int _present = (int)first;

    /// <summary>Gets what limits now.</summary>
    public Bottleneck Present => (Bottleneck)Volatile.Read(ref _present);

    /// <summary>Accounts the time from now on to a bottleneck.</summary>
    public void Is(Bottleneck bottleneck)
    {
        if (Present == bottleneck)
        {
            return;
        }

        lock (_gate)
        {
            long now = time.GetTimestamp();
            _seconds[_present] += Elapsed(now);
            _since = now;
            Volatile.Write(ref _present, (int)bottleneck);
        }
    }

    /// <summary>Returns the shares of the time so far, which add up to 1. Empty if no time has passed.</summary>
    public IReadOnlyDictionary<Bottleneck, double> Shares()
    {
        lock (_gate)
        {
            double[] seconds = [.. _seconds];
            seconds[_present] += Elapsed(time.GetTimestamp());
            seconds[(int)Bottleneck.None] = 0;
            double all = seconds.Sum();
            return Enumerable.Range(0, seconds.Length).Where(i => seconds[i] > 0).ToDictionary(i => (Bottleneck)i, i => seconds[i] / all);
        }
    }

    private double Elapsed(long now) => Math.Max(0, time.GetElapsedTime(_since, now).TotalSeconds);
}
