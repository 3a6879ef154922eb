namespace FastLLM.RateLimiting;

/// <summary>A limit a minute, refilled continuously, of which little may be used at once.</summary>
/// <remarks>All of its state is the moment at which it will be full again; times are seconds on the clock of <see cref="RateLimiters"/>,
/// under whose lock it stands. It holds half a second's worth, or more where that is stated. Providers that count by the second
/// hold one: the other half is theirs, for sends that the network bunches up.</remarks>
internal sealed class TokenBucket(long perMinute, double burst = TokenBucket.HalfASecond, double start = 0)
{
    /// <summary>What a bucket holds by default, in seconds' worth.</summary>
    public const double HalfASecond = 0.5;

    private const double Tick = 1e-9;

    // Where one send is nearly a second's worth, the provider has nothing spare for a send that arrives a little early.
    private const double NoSlackFrom = 0.75;
    private const double Guard = 0.02;
    private const double MaxGuard = 0.1;

    public long PerMinute { get; } = perMinute;

    public double PerSecond { get; } = perMinute / 60.0;

    /// <summary>When it will be full again; past where it is.</summary>
    public double FullAt { get; set; } = FirstFullAt(burst, start);

    /// <summary>Gets when a new bucket is full: it begins with half a second's worth, whatever it holds.</summary>
    public static double FirstFullAt(double burst, double start) =>
        burst > HalfASecond ? start + burst - HalfASecond - MaxGuard : double.NegativeInfinity;

    /// <summary>How long until this much may be taken; 0 for now. More than half a second's worth goes when that much is there, and leaves
    /// a debt.</summary>
    public double Wait(double now, double cost)
    {
        double filling = cost / PerSecond;
        double wait = Math.Max(FullAt - now, 0) + filling - burst;
        if (filling >= HalfASecond)
        {
            double guard = filling < NoSlackFrom ? 0 : Math.Min(filling * Guard, MaxGuard);
            wait = Math.Min(wait, FullAt - now - burst + HalfASecond + guard);
        }

        return wait > Tick ? wait : 0;
    }

    public void Take(double now, double cost) => FullAt = Math.Max(FullAt, now) + (cost / PerSecond);

    /// <summary>Gives back what was taken and not used. Never makes it fuller than full.</summary>
    public void Return(double amount) => FullAt -= amount / PerSecond;

    /// <summary>Believes the provider that no more than this is left. Never makes it fuller.</summary>
    public void Correct(double now, double remaining) => FullAt = Math.Max(FullAt, now + Math.Max(0, burst - (remaining / PerSecond)));
}
