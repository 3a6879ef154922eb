namespace FastLLM.Simulator;

/// <summary>How the simulated provider behaves: where it listens, how long it takes, what share of the sends it fails.</summary>
/// <remarks>Read once, when the server starts; later changes have no effect. With the defaults every valid request is answered at once.</remarks>
public sealed class SimulatorOptions
{
    internal static readonly TimeSpan MaxLatency = TimeSpan.FromDays(1);
    internal const int MaxDimensions = 16_384;

    /// <summary>Gets or sets the loopback port to listen on.</summary>
    /// <value>The default is 0: a free port, to be read from <see cref="SimulatorServer.BaseUrl"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 65535.</exception>
    public int Port
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(Port));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 65_535, nameof(Port));
            field = value;
        }
    }

    /// <summary>Gets or sets how long a send takes, counted from its last byte received to the first byte of the answer.</summary>
    /// <value>The default is zero: no timer is started. When <see cref="LatencySigma"/> is positive this is the median.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative or longer than a day.</exception>
    public TimeSpan Latency
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero, nameof(Latency));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MaxLatency, nameof(Latency));
            field = value;
        }
    }

    /// <summary>Gets or sets the σ of the lognormal law that latencies follow.</summary>
    /// <value>The default is 0: every send takes <see cref="Latency"/>. With 1.0 and a median of 200 ms one send in forty takes longer than 1.4 s.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 10.</exception>
    public double LatencySigma
    {
        get;
        set
        {
            ThrowIfOutside(value, 10, nameof(LatencySigma));
            field = value;
        }
    }

    /// <summary>Gets or sets the share of sends that is answered with <see cref="ErrorStatus"/>.</summary>
    /// <value>From 0, the default, to 1. Whether a send is hit is decided by <see cref="SimulatorErrors"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double ErrorRate
    {
        get;
        set
        {
            ThrowIfOutside(value, 1, nameof(ErrorRate));
            field = value;
        }
    }

    /// <summary>Gets or sets the HTTP status of simulated errors; the body is OpenAI's error object for that status.</summary>
    /// <value>The default is 503.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 400 and 599.</exception>
    public int ErrorStatus
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 400, nameof(ErrorStatus));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 599, nameof(ErrorStatus));
            field = value;
        }
    } = 503;

    /// <summary>Gets or sets how many sends, from the start of the server on and whatever they ask, are answered with <see cref="ErrorStatus"/>.</summary>
    /// <value>The default is 0. <see cref="SimulatorServer.ResetStats"/> does not start this count again.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public int FailFirst
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value, nameof(FailFirst));
            field = value;
        }
    }

    /// <summary>Gets or sets the seed of latencies and errors. Answers do not depend on it.</summary>
    /// <value>The default is 0.</value>
    public int Seed { get; set; }

    /// <summary>Gets or sets whether bodies are sent without insignificant white space.</summary>
    /// <value>The default is <see langword="false"/>: pretty-printed with two spaces, as OpenAI sends them.</value>
    public bool Compact { get; set; }

    /// <summary>Gets or sets the length of embedding vectors where a request does not say <c>dimensions</c>.</summary>
    /// <value>The default is 8: enough to tell vectors apart, and cheap to send.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 1 and 16384.</exception>
    public int EmbeddingDimensions
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(EmbeddingDimensions));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MaxDimensions, nameof(EmbeddingDimensions));
            field = value;
        }
    } = 8;

    /// <summary>Gets or sets the clock that latencies are waited on.</summary>
    /// <value>The default is the system's.</value>
    /// <exception cref="ArgumentNullException">The value is <see langword="null"/>.</exception>
    public TimeProvider TimeProvider
    {
        get;
        set
        {
            ArgumentNullException.ThrowIfNull(value, nameof(TimeProvider));
            field = value;
        }
    } = TimeProvider.System;

    internal SimulatorOptions Copy() => (SimulatorOptions)MemberwiseClone();

    private static void ThrowIfOutside(double value, double max, string name)
    {
        if (!(value >= 0 && value <= max)) // also for NaN
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be between 0 and {max}.");
        }
    }
}
