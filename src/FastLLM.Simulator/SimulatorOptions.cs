namespace FastLLM.Simulator;

/// <summary>Options of the simulated provider: port, latency, limits and faults.</summary>
/// <remarks>
/// <para>The server reads them once, when it starts; later changes have no effect. By default it answers each valid request at once.</para>
/// <para>A send is checked against <see cref="ThrottleLaws"/>, then <see cref="QuotaAfter"/>, then <see cref="RequestsPerMinute"/> and
/// <see cref="TokensPerMinute"/>. Refusals are sent at once. An admitted send then meets its fault, its latency and its answer.</para>
/// <para>There is one property for each option of <c>fastllm simulate</c>, hence the many.</para>
/// </remarks>
public sealed class SimulatorOptions
{
    internal static readonly TimeSpan MaxLatency = TimeSpan.FromDays(1);
    internal const int MaxDimensions = 16_384;

    /// <summary>Gets or sets the loopback port to listen on.</summary>
    /// <value>The default is 0: a free port, which <see cref="SimulatorServer.BaseUrl"/> tells.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 65535.</exception>
    public int Port
    {
        get;
        set => field = Check.Between(value, 0, 65_535, nameof(Port));
    }

    /// <summary>Gets or sets the latency of a send, from its last byte received to the first byte of the answer.</summary>
    /// <value>The default is zero: no timer is started. When <see cref="LatencySigma"/> is positive this is the median.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative or longer than a day.</exception>
    public TimeSpan Latency
    {
        get;
        set => field = Check.Between(value, TimeSpan.Zero, MaxLatency, nameof(Latency));
    }

    /// <summary>Gets or sets the σ of the lognormal law of latencies.</summary>
    /// <value>
    /// The default is 0: every send takes <see cref="Latency"/>. With 1.0 and a median of 200 ms one send in forty takes longer than 1.4 s.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 10.</exception>
    public double LatencySigma
    {
        get;
        set => field = Check.Between(value, 0, 10, nameof(LatencySigma));
    }

    /// <summary>Gets or sets the speed at which an answer is written, in completion tokens (of all choices) a second.</summary>
    /// <value>
    /// The default is <see langword="null"/>: all at once. With 100, an answer of 50 tokens takes half a second more than
    /// <see cref="Latency"/>; a streamed one comes token by token during that time.
    /// </value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not a positive, finite number.</exception>
    public double? TokensPerSecond
    {
        get;
        set => field = value is { } speed ? Check.Positive(speed, double.MaxValue, nameof(TokensPerSecond)) : null;
    }

    /// <summary>Gets or sets how many sends a minute are admitted; the others get 429 in OpenAI's words.</summary>
    /// <value>The default is <see langword="null"/>: any number. 60 admits one each second, see <see cref="BurstSeconds"/>.</value>
    /// <remarks>
    /// One count for the whole server, whatever the model. Sends that are refused, or answered with 400, are not counted;
    /// those that a fault hits are.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public long? RequestsPerMinute
    {
        get;
        set => field = Check.AtLeast(value, 1, nameof(RequestsPerMinute));
    }

    /// <summary>Gets or sets how many tokens a minute are admitted; the sends beyond get 429 in OpenAI's words.</summary>
    /// <value>The default is <see langword="null"/>: any number.</value>
    /// <remarks>
    /// A send counts the estimate of its prompt (a token for 4 bytes) and the output that it allows for all choices; where it sets no
    /// limit, the tokens of its answer. The count is not corrected afterwards. A send of more than the whole limit is always refused.
    /// For the rest see <see cref="RequestsPerMinute"/>.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public long? TokensPerMinute
    {
        get;
        set => field = Check.AtLeast(value, 1, nameof(TokensPerMinute));
    }

    /// <summary>Gets or sets how many seconds' worth of a limit a minute may be used at once after a pause.</summary>
    /// <value>The default is 1, as providers that enforce 60 a minute as one a second; 60 admits the whole limit at once.</value>
    /// <remarks>A send that needs more is admitted when nothing is used up, and leaves a debt that the next ones wait for.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is not more than 0, or more than 60.</exception>
    public double BurstSeconds
    {
        get;
        set => field = Check.Positive(value, 60, nameof(BurstSeconds));
    } = 1;

    /// <summary>Gets or sets the laws by which sends are refused with 429, without announcing any limit.</summary>
    /// <value>The default is empty: no send is refused. A send is admitted when all laws admit it.</value>
    /// <remarks>Laws see each send whose body has arrived, also a bad one. A refused send does not count against any law.</remarks>
    /// <exception cref="ArgumentException">The value is or contains <see langword="null"/>.</exception>
    public IReadOnlyList<ThrottleLaw> ThrottleLaws
    {
        get;
        set => field = Check.Items(value, nameof(ThrottleLaws));
    } = [];

    /// <summary>Gets or sets what refusals by <see cref="ThrottleLaws"/> tell the client about when to come again.</summary>
    /// <value>The default is <see cref="ThrottleRetryAfter.Correct"/>.</value>
    /// <exception cref="ArgumentNullException">The value is <see langword="null"/>.</exception>
    public ThrottleRetryAfter ThrottleRetryAfter
    {
        get;
        set => field = value ?? throw new ArgumentNullException(nameof(ThrottleRetryAfter));
    } = ThrottleRetryAfter.Correct;

    /// <summary>Gets or sets the changes of <see cref="ThrottleLaws"/> during the run, in any order.</summary>
    /// <value>The default is empty: the laws stay. Each change replaces all laws; see <see cref="ThrottleChange"/>.</value>
    /// <exception cref="ArgumentException">The value is or contains <see langword="null"/>.</exception>
    public IReadOnlyList<ThrottleChange> ThrottleChanges
    {
        get;
        set => field = Check.Items(value, nameof(ThrottleChanges));
    } = [];

    /// <summary>Gets or sets the number of successful answers after which the account is out of money.</summary>
    /// <value>The default is <see langword="null"/>: never. 0 refuses from the start.</value>
    /// <remarks>
    /// Every further send gets 429 <c>insufficient_quota</c>, without <c>retry-after</c>. A send takes its part when it arrives, and
    /// gives it back when its answer is not sent whole. <see cref="SimulatorServer.ResetStats"/> does not start this count again.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long? QuotaAfter
    {
        get;
        set => field = Check.AtLeast(value, 0, nameof(QuotaAfter));
    }

    /// <summary>Gets or sets the share of sends that are answered with <see cref="ErrorStatus"/>.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double ErrorRate
    {
        get;
        set => field = Check.Between(value, 0, 1, nameof(ErrorRate));
    }

    /// <summary>Gets or sets the share of sends that get no byte of an answer until the client leaves or the server stops.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double StallRate
    {
        get;
        set => field = Check.Between(value, 0, 1, nameof(StallRate));
    }

    /// <summary>Gets or sets the share of sends whose connection is reset, after their latency and before any answer.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double ResetRate
    {
        get;
        set => field = Check.Between(value, 0, 1, nameof(ResetRate));
    }

    /// <summary>Gets or sets the share of sends whose answer breaks off: all headers, half of the body, then the connection ends.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <remarks>The <c>Content-Length</c> is that of the whole body.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double CutRate
    {
        get;
        set => field = Check.Between(value, 0, 1, nameof(CutRate));
    }

    /// <summary>Gets or sets the share of sends that are answered with status 200 and an error in the body, as OpenRouter does.</summary>
    /// <value>From 0, the default, to 1. Which sends: <see cref="SimulatorErrors.FaultOf"/>.</value>
    /// <remarks>A stream gets one chunk that holds the error.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double ErrorInOkRate
    {
        get;
        set => field = Check.Between(value, 0, 1, nameof(ErrorInOkRate));
    }

    /// <summary>Gets or sets the share of answers of chat completions whose text has words before it, so that it is not the JSON or the
    /// label that was requested. The response is whole, and each send of a body is answered alike.</summary>
    /// <value>From 0, the default, to 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double BrokenRate
    {
        get;
        set => field = Check.Between(value, 0, 1, nameof(BrokenRate));
    }

    /// <summary>Gets or sets the HTTP status of simulated errors; the body is OpenAI's error object for that status.</summary>
    /// <value>The default is 503.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 400 and 599.</exception>
    public int ErrorStatus
    {
        get;
        set => field = Check.Between(value, 400, 599, nameof(ErrorStatus));
    } = 503;

    /// <summary>Gets or sets the number of sends after the server's start that are answered with <see cref="ErrorStatus"/>.</summary>
    /// <value>The default is 0. <see cref="SimulatorServer.ResetStats"/> does not start this count again.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public int FailFirst
    {
        get;
        set => field = Check.Between(value, 0, int.MaxValue, nameof(FailFirst));
    }

    /// <summary>Gets or sets the seed of latencies, faults and random refusals. Answers do not depend on it.</summary>
    /// <value>The default is 0.</value>
    public int Seed { get; set; }

    /// <summary>Gets or sets whether bodies are sent without insignificant white space.</summary>
    /// <value>The default is <see langword="false"/>: pretty-printed with two spaces, as OpenAI sends them.</value>
    public bool Compact { get; set; }

    /// <summary>Gets or sets whether <c>GET /simulator/ledger</c> lists every send and every answer as JSON lines.</summary>
    /// <value>The default is <see langword="false"/>: a ledger takes some 100 bytes of memory for a send, and again for its answer.</value>
    /// <remarks>
    /// <para>The lines are in the order of events: <c>{"request":7,"at":…,"path":"/v1/chat/completions","bytes":…,"sha256":"…"}</c> when
    /// a body has arrived whole, and <c>{"response":7,"at":…,"status":200,"bytes":…,"sha256":"…"}</c> when the connection has taken the
    /// last byte of the answer to request 7. <c>at</c> is in Unix milliseconds by <see cref="TimeProvider"/>, <c>sha256</c> that of the
    /// body as it was transferred.</para>
    /// <para>Answers that broke off have no line. <see cref="SimulatorServer.ResetStats"/> does not change the ledger.
    /// <c>GET /simulator/ledger?idle</c> waits until the connections of all other clients are closed, so that nothing is missing.</para>
    /// </remarks>
    public bool Ledger { get; set; }

    /// <summary>Gets or sets whether <see cref="SimulatorServer.Requests"/> keeps every request with its headers and its body, for tests
    /// that assert what was sent.</summary>
    /// <value>The default is <see langword="false"/>: requests may be many.</value>
    public bool RecordRequests { get; set; }

    /// <summary>Gets or sets the length of embedding vectors where a request does not set <c>dimensions</c>.</summary>
    /// <value>The default is 8: enough to tell vectors apart, and cheap to send.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 1 and 16384.</exception>
    public int EmbeddingDimensions
    {
        get;
        set => field = Check.Between(value, 1, MaxDimensions, nameof(EmbeddingDimensions));
    } = 8;

    /// <summary>Gets or sets the clock of latencies and limits.</summary>
    /// <value>The default is the system's.</value>
    /// <exception cref="ArgumentNullException">The value is <see langword="null"/>.</exception>
    public TimeProvider TimeProvider
    {
        get;
        set => field = value ?? throw new ArgumentNullException(nameof(TimeProvider));
    } = TimeProvider.System;

    internal SimulatorOptions Copy() => (SimulatorOptions)MemberwiseClone();

    /// <summary>Checks what no single property can check. The server calls this once, at its start.</summary>
    internal void Validate()
    {
        double sum = ErrorRate + StallRate + ResetRate + CutRate + ErrorInOkRate;
        if (sum > 1 + 1e-9) // shares such as 0.7, 0.2 and 0.1 do not add up to the last bit
        {
            throw new ArgumentException(
                $"{nameof(ErrorRate)}, {nameof(StallRate)}, {nameof(ResetRate)}, {nameof(CutRate)} and {nameof(ErrorInOkRate)} add up to "
                + $"{sum}: a send has one fault at most, so keep the sum at 1 or below.");
        }
    }
}
