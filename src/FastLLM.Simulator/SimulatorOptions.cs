namespace FastLLM.Simulator;

/// <summary>How the simulated provider behaves: where it listens, how long it takes, how much it lets through, what share of the sends it spoils and how.</summary>
/// <remarks>
/// <para>Read once, when the server starts; later changes have no effect. With the defaults every valid request is answered at once.</para>
/// <para>A send first needs money (<see cref="QuotaAfter"/>), then room (<see cref="RequestsPerMinute"/>, <see cref="TokensPerMinute"/>);
/// only then its fault, latency and answer follow. Refusals are sent at once. The rates of faults exclude each other and together are at most 1.</para>
/// </remarks>
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

    /// <summary>Gets or sets how fast an answer is written, in completion tokens (of all choices) a second.</summary>
    /// <value>The default is <see langword="null"/>: all at once. With 100, an answer of 50 tokens takes half a second more than <see cref="Latency"/>; a streamed one comes in pieces during that time.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a positive, finite number.</exception>
    public double? TokensPerSecond
    {
        get;
        set
        {
            if (value is { } speed && !(speed > 0 && double.IsFinite(speed)))
            {
                throw new ArgumentOutOfRangeException(nameof(TokensPerSecond), value, $"{nameof(TokensPerSecond)} must be positive and finite.");
            }

            field = value;
        }
    }

    /// <summary>Gets or sets how many sends a minute are let through; the others get 429 in OpenAI's words.</summary>
    /// <value>The default is <see langword="null"/>: any number. 60 lets one through each second, see <see cref="BurstSeconds"/>.</value>
    /// <remarks>One count for the whole server, whatever the model. Sends that are refused, or answered with 400, are not counted; those that a fault hits are.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public long? RequestsPerMinute
    {
        get;
        set
        {
            ThrowIfNotPositive(value, nameof(RequestsPerMinute));
            field = value;
        }
    }

    /// <summary>Gets or sets how many tokens a minute are let through; the sends beyond get 429 in OpenAI's words.</summary>
    /// <value>The default is <see langword="null"/>: any number.</value>
    /// <remarks>
    /// A send counts the estimate of its prompt (a token for 4 bytes) and the output that it allows for all choices; where it sets no limit, the tokens
    /// of its answer. The count is not corrected afterwards. A send of more than the whole limit is refused for good. For the rest see <see cref="RequestsPerMinute"/>.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public long? TokensPerMinute
    {
        get;
        set
        {
            ThrowIfNotPositive(value, nameof(TokensPerMinute));
            field = value;
        }
    }

    /// <summary>Gets or sets how many seconds' worth of a limit may be used at once after a pause.</summary>
    /// <value>The default is 1, as providers that enforce 60 a minute as one a second; 60 lets the whole limit through at once.</value>
    /// <remarks>A send that needs more than fits goes through when nothing is used up, and leaves a debt that the next ones wait for.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is not more than 0, or more than 60.</exception>
    public double BurstSeconds
    {
        get;
        set
        {
            if (!(value > 0 && value <= 60))
            {
                throw new ArgumentOutOfRangeException(nameof(BurstSeconds), value, $"{nameof(BurstSeconds)} must be more than 0 and at most 60.");
            }

            field = value;
        }
    } = 1;

    /// <summary>Gets or sets after how many successful answers the account has no money left: every further send gets 429 <c>insufficient_quota</c>, without <c>retry-after</c>.</summary>
    /// <value>The default is <see langword="null"/>: never. 0 refuses from the start.</value>
    /// <remarks>A send takes its part when it arrives, and gives it back when its answer is not sent whole. <see cref="SimulatorServer.ResetStats"/> does not start this count again.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long? QuotaAfter
    {
        get;
        set
        {
            if (value is { } answers)
            {
                ArgumentOutOfRangeException.ThrowIfNegative(answers, nameof(QuotaAfter));
            }

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

    /// <summary>Gets or sets the share of sends that never get so much as a header, until the client leaves or the server stops.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double StallRate
    {
        get;
        set
        {
            ThrowIfOutside(value, 1, nameof(StallRate));
            field = value;
        }
    }

    /// <summary>Gets or sets the share of sends whose connection is reset, after their latency and before any answer.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double ResetRate
    {
        get;
        set
        {
            ThrowIfOutside(value, 1, nameof(ResetRate));
            field = value;
        }
    }

    /// <summary>Gets or sets the share of sends whose answer breaks off: all headers, the <c>Content-Length</c> of the whole, half of the body, then the connection ends.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double CutRate
    {
        get;
        set
        {
            ThrowIfOutside(value, 1, nameof(CutRate));
            field = value;
        }
    }

    /// <summary>Gets or sets the share of sends that is answered with status 200 and an error in the body, as OpenRouter does; in a stream, with a chunk that holds the error.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double ErrorInOkRate
    {
        get;
        set
        {
            ThrowIfOutside(value, 1, nameof(ErrorInOkRate));
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

    /// <summary>Gets or sets the seed of latencies and faults. Answers do not depend on it.</summary>
    /// <value>The default is 0.</value>
    public int Seed { get; set; }

    /// <summary>Gets or sets whether bodies are sent without insignificant white space.</summary>
    /// <value>The default is <see langword="false"/>: pretty-printed with two spaces, as OpenAI sends them.</value>
    public bool Compact { get; set; }

    /// <summary>Gets or sets whether every send and every answer is entered in a ledger, which <c>GET /simulator/ledger</c> hands out as JSON lines.</summary>
    /// <value>The default is <see langword="false"/>: it takes some 100 bytes of memory for a send, and again for its answer, as long as the server lives.</value>
    /// <remarks>
    /// <para>In the order in which it happened, <c>{"request":7,"at":…,"path":"/v1/chat/completions","bytes":…,"sha256":"…"}</c> when a body has arrived
    /// whole, and <c>{"response":7,"at":…,"status":200,"bytes":…,"sha256":"…"}</c> when the connection has taken the last byte of the answer to request 7.
    /// <c>at</c> is in Unix milliseconds by <see cref="TimeProvider"/>, <c>sha256</c> that of the body as it went over the connection.</para>
    /// <para>Answers that broke off have no line. <see cref="SimulatorServer.ResetStats"/> leaves the ledger alone.</para>
    /// </remarks>
    public bool Ledger { get; set; }

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

    /// <summary>Gets or sets the clock that latencies are waited on and limits are refilled by.</summary>
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

    /// <summary>Checks what no single property can check. The server calls this once, at its start.</summary>
    internal void Validate()
    {
        double sum = ErrorRate + StallRate + ResetRate + CutRate + ErrorInOkRate;
        if (sum > 1 + 1e-9) // shares such as 0.7, 0.2 and 0.1 do not add up to the last bit
        {
            throw new ArgumentException(
                $"{nameof(ErrorRate)}, {nameof(StallRate)}, {nameof(ResetRate)}, {nameof(CutRate)} and {nameof(ErrorInOkRate)} add up to {sum}: a send has one fault at most, so keep the sum at 1 or below.");
        }
    }

    private static void ThrowIfNotPositive(long? value, string name)
    {
        if (value is { } number)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(number, 1, name);
        }
    }

    private static void ThrowIfOutside(double value, double max, string name)
    {
        if (!(value >= 0 && value <= max)) // also for NaN
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be between 0 and {max}.");
        }
    }
}
