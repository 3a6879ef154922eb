namespace FastLLM.Simulator.Throttling;

/// <summary>A token bucket that refills continuously. Its whole state is the time at which it is full again, in seconds.</summary>
/// <remarks>Not thread-safe: its owner locks.</remarks>
/// <param name="perSecond">How much it gains in a second.</param>
/// <param name="burstSeconds">How many seconds it takes to fill.</param>
internal sealed class Bucket(double perSecond, double burstSeconds)
{
    public const double Tolerance = 1e-6; // see Arrival.Tolerance

    private double _fullAt;

    /// <summary>Gets how much it gains in a second.</summary>
    public double PerSecond { get; } = perSecond;

    /// <summary>Computes the seconds until it is full.</summary>
    public double UntilFull(double now) => Math.Max(_fullAt - now, 0);

    /// <summary>Computes the seconds until a cost can be taken. A cost of more than the bucket holds waits until it is full.</summary>
    public double Wait(double now, long cost)
    {
        double wait = UntilFull(now) + Math.Min(cost / PerSecond, burstSeconds) - burstSeconds;
        return wait > Tolerance ? wait : 0;
    }

    /// <summary>Takes a cost. More than there is leaves a debt.</summary>
    public void Take(double now, long cost) => _fullAt = Math.Max(_fullAt, now) + (cost / PerSecond);

    /// <summary>Computes how much there is to take; negative while there is a debt.</summary>
    public double Remaining(double now) => (burstSeconds - UntilFull(now)) * PerSecond;
}
