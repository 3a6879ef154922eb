namespace FastLLM.Progress;

/// <summary>Puts every second of a run down to what limited it. To be told at each change; told the same again, it costs a comparison.</summary>
internal sealed class BottleneckMonitor(TimeProvider time, Bottleneck first)
{
    private readonly Lock _gate = new();
    private readonly double[] _seconds = new double[(int)Bottleneck.Budget + 1];
    private long _since = time.GetTimestamp();
    private int _present = (int)first;

    public Bottleneck Present => (Bottleneck)Volatile.Read(ref _present);

    public void Is(Bottleneck factor)
    {
        if (Present == factor)
        {
            return;
        }

        lock (_gate)
        {
            Account();
            Volatile.Write(ref _present, (int)factor);
        }
    }

    /// <summary>The shares of the time so far, which add up to 1. Empty where no time has passed.</summary>
    public IReadOnlyDictionary<Bottleneck, double> Shares()
    {
        lock (_gate)
        {
            Account();
            var shares = new Dictionary<Bottleneck, double>();
            double all = 0;
            for (var i = 1; i < _seconds.Length; i++)
            {
                all += _seconds[i];
            }

            for (var i = 1; i < _seconds.Length && all > 0; i++)
            {
                if (_seconds[i] > 0)
                {
                    shares.Add((Bottleneck)i, _seconds[i] / all);
                }
            }

            return shares;
        }
    }

    private void Account()
    {
        long now = time.GetTimestamp();
        _seconds[_present] += Math.Max(0, time.GetElapsedTime(_since, now).TotalSeconds);
        _since = now;
    }
}
