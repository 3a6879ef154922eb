using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.Retries;
using Microsoft.Extensions.Logging;

namespace FastLLM;

/// <summary>Represents the options of a <see cref="RequestManager{TResponse}"/>.</summary>
/// <remarks>Setters check their values. The manager takes a copy: later changes have no effect on it.</remarks>
public sealed class RequestManagerOptions
{
    /// <summary>Stands for every reason in <see cref="RefreshFinishReasons"/>, and for answers without one.</summary>
    public const string AnyFinishReason = "*";

    /// <summary>The largest amount in US dollars; what a provider states above it is no cost.</summary>
    internal const decimal MaxBudget = 1_000_000_000;

    private static readonly TimeSpan LongestTime = TimeSpan.FromDays(7);

    /// <summary>Gets or sets how many requests may be in flight at once, over all batches of the manager.</summary>
    /// <value>The default is 100. With <see cref="AdaptiveConcurrency"/> it is the ceiling. Lowered to the number of connections
    /// for which the process has file descriptors.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 or more than 100,000.</exception>
    public int Concurrency { get; set => field = InRange(value, 1, 100_000, nameof(Concurrency)); } = 100;

    /// <summary>Gets or sets a value indicating whether the number in flight adapts to the provider: up while all is well, down when it
    /// throttles.</summary>
    /// <value>The default is <see langword="false"/>: always up to <see cref="Concurrency"/>. Otherwise it starts at 20 and never exceeds
    /// <see cref="Concurrency"/>.</value>
    public bool AdaptiveConcurrency { get; set; }

    /// <summary>Gets or sets the account's limits at the provider, per model.</summary>
    /// <value>The default is <see langword="null"/>: the limits are learned from 429 responses.</value>
    public RateLimits? RateLimits { get; set; }

    /// <summary>Gets or sets how long one attempt may take, from the send to the last byte of the answer.</summary>
    /// <value>The default is 30 s; left alone, 600 s for models known to reason, and 20 s and 120 s for calls of an <c>IChatClient</c> or
    /// <c>IEmbeddingGenerator</c> without streaming. After a timeout the next attempt of that request gets double.
    /// <see cref="System.Threading.Timeout.InfiniteTimeSpan"/> for no end.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not positive, or longer than 7 days.</exception>
    public TimeSpan Timeout
    {
        get;
        set
        {
            field = Positive(value, nameof(Timeout));
            TimeoutChosen = true;
        }
    } = TimeSpan.FromSeconds(30);

    /// <summary>Gets or sets how long a connection may take to be made. Not used with a <see cref="HttpMessageHandler"/> of one's
    /// own.</summary>
    /// <value>The default is 10 s.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not positive, or longer than 7 days.</exception>
    public TimeSpan ConnectTimeout { get; set => field = Positive(value, nameof(ConnectTimeout)); } = TimeSpan.FromSeconds(10);

    /// <summary>Gets or sets how long the answer's first byte may take, counted like <see cref="Timeout"/>. Only for the built-in
    /// providers.</summary>
    /// <value>The default is <see langword="null"/>: only <see cref="Timeout"/> counts.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not positive, or longer than 7 days.</exception>
    public TimeSpan? FirstByteTimeout { get; set => field = Positive(value, nameof(FirstByteTimeout)); }

    /// <summary>Gets or sets how long an answer may fall silent once it has begun. Only for the built-in providers.</summary>
    /// <remarks>Only data ends a silence; comments and blanks, by which servers keep a connection alive, do not.</remarks>
    /// <value>The default is <see langword="null"/>: 60 s for a stream that has begun to say something (before that it may be thinking),
    /// else only <see cref="Timeout"/> counts.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not positive, or longer than 7 days.</exception>
    public TimeSpan? IdleTimeout { get; set => field = Positive(value, nameof(IdleTimeout)); }

    /// <summary>Gets or sets which requests are answered as streams. Only for the built-in providers.</summary>
    /// <value>The default is <see cref="StreamMode.AsRequested"/>: those that say so, and every request is sent as it was given.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is none of the enumeration's.</exception>
    public StreamMode StreamMode
    {
        get;
        set
        {
            if (!Enum.IsDefined(value))
            {
                throw new ArgumentOutOfRangeException(nameof(StreamMode), value, "There is no such mode.");
            }

            field = value;
        }
    }

    /// <summary>Gets or sets how long a request may take in all, with its retries and waits. Once it is over, nothing more is sent for the
    /// request; a send under way ends by then.</summary>
    /// <value>The default is <see langword="null"/>: no end of its own.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not positive, or longer than 7 days.</exception>
    public TimeSpan? TotalTimeout { get; set => field = Positive(value, nameof(TotalTimeout)); }

    /// <summary>Gets or sets how many times a request is sent before it counts as failed, the first send included.</summary>
    /// <value>The default is 3. 1 means never again. Being throttled (429, 503, 529) or refused a connection does not count; see
    /// <see cref="MaxThrottleWait"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public int RetryAttempts { get; set => field = InRange(value, 1, int.MaxValue, nameof(RetryAttempts)); } = 3;

    /// <summary>Gets or sets the base of the back-off: before the n-th retry a request waits a random time of at most this times 2ⁿ⁻¹, and
    /// at most a minute.</summary>
    /// <value>The default is 1 s. What the provider asks for (<c>Retry-After</c>) is a minimum.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative, or longer than 7 days.</exception>
    public TimeSpan RetryDelay
    {
        get;
        set => field = InRange(value, TimeSpan.Zero, LongestTime, nameof(RetryDelay));
    } = TimeSpan.FromSeconds(1);

    /// <summary>Gets or sets how long a request may wait, in all, for a provider that throttles it or refuses connections, before it counts
    /// as failed.</summary>
    /// <remarks>A provider that is down for longer than that stops the run, rather than fail row after row
    /// (<c>docs/failures.md</c>).</remarks>
    /// <value>The default is 15 minutes.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative, or longer than 7 days.</exception>
    public TimeSpan MaxThrottleWait
    {
        get;
        set => field = InRange(value, TimeSpan.Zero, LongestTime, nameof(MaxThrottleWait));
    } = TimeSpan.FromMinutes(15);

    /// <summary>Gets or sets how many rows of a run may fail; one more failure stops the run, which can be resumed later. Counted
    /// separately for each batch or stream.</summary>
    /// <value>The default is <see langword="null"/>: any number. With 0 the first failure stops the run. See also
    /// <see cref="MaxErrorShare"/>.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative.</exception>
    public long? MaxErrors { get; set => field = InRange(value, 0, long.MaxValue, nameof(MaxErrors)); }

    /// <summary>Gets or sets which share of a run's rows may fail, 0 to 1: once 100 rows have finished, the run stops when a larger share
    /// has failed. It can be resumed later.</summary>
    /// <value>The default is <see langword="null"/>: any share, except that the run stops if the first ten rows all fail alike, or the first
    /// hundred all fail. With 1 it continues even then.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not between 0 and 1.</exception>
    public double? MaxErrorShare { get; set => field = InRange(value, 0, 1, nameof(MaxErrorShare)); }

    /// <summary>Gets or sets the most bytes of one answer; of a stream, when put together (on its way it may be 16 times as
    /// large).</summary>
    /// <value>The default is 64 MB.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1,024, or more than an array can hold.</exception>
    public long MaxResponseBytes { get; set => field = InRange(value, 1024, Array.MaxLength / 2, nameof(MaxResponseBytes)); } = 64L << 20;

    /// <summary>Gets or sets how much memory responses in flight may take together while they are read, recorded and returned. Responses up
    /// to 64 KB do not count.</summary>
    /// <remarks>A response that needs more than is left is not read further until others are finished, so that its server waits; its
    /// timeouts stop meanwhile. The oldest response always continues, up to <see cref="MaxResponseBytes"/>. The results of a batch do not
    /// count. Only for the built-in providers.</remarks>
    /// <value>The default is an eighth of the memory that the process may use, at least 256 MB and at most 512 MB.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 MB.</exception>
    public long MaxResponseMemory
    {
        get;
        set => field = InRange(value, 1_000_000, long.MaxValue, nameof(MaxResponseMemory));
    } = ResponseMemory.DefaultLimit;

    /// <summary>Gets or sets a value indicating whether a small bar is drawn while a batch runs.</summary>
    /// <value>The default is <see langword="true"/>: on an interactive terminal, on standard error; nothing is drawn elsewhere.</value>
    public bool ShowProgress { get; set; } = true;

    /// <summary>Gets or sets the receiver of progress reports: about ten per second, and one at the end.</summary>
    public IProgress<TokenStats>? Progress { get; set; }

    /// <summary>Gets or sets the cache of answers. The manager never closes it.</summary>
    /// <value>The default is <see langword="null"/>: equal requests of one batch still share one answer, but nothing is kept for the next
    /// batch.</value>
    public CacheProvider? Cache { get; set; }

    /// <summary>Gets or sets the finish reasons (<c>length</c>, <c>content_filter</c> …) for which cached answers are requested again;
    /// <see cref="AnyFinishReason"/> for all.</summary>
    /// <remarks>Applies to answers that were cached before the manager was created, so that no manager requests one twice. The new answer
    /// replaces the old one. Built-in responses only.</remarks>
    /// <value>The default is none: every complete cached answer is used.</value>
    /// <exception cref="ArgumentNullException">The value is <see langword="null"/>.</exception>
    public IReadOnlyCollection<string> RefreshFinishReasons { get; set => field = [.. NotNull(value, nameof(RefreshFinishReasons))]; } = [];

    /// <summary>Gets or sets the prices of models. Costs that a provider reports (<see cref="Provider{TResponse}.GetCost"/>) take
    /// precedence.</summary>
    /// <value>The default is <see langword="null"/>: costs are unknown. <see cref="PriceTable.BuiltIn"/> has some well-known
    /// models.</value>
    public PriceTable? Prices { get; set; }

    /// <summary>Gets or sets the maximum cost of all batches of the manager together, in US dollars.</summary>
    /// <remarks>Before every send its worst case is reserved: the bytes of its prompt as tokens, and the output that it allows (otherwise
    /// the model's maximum). If too little is left, requests wait until sends in flight turn out cheaper; if that cannot help, the run
    /// stops with an <see cref="LlmRunException"/> of kind <see cref="FailureKind.BudgetExhausted"/>. A failed send of unknown outcome
    /// stays charged in full. Requests whose cost has no bound are not sent: <see cref="FailureKind.CostUnbounded"/>. See
    /// <c>docs/costs.md</c>.</remarks>
    /// <value>The default is <see langword="null"/>: no budget. With one, <see cref="Prices"/> must be set.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is negative, or above a thousand million.</exception>
    public decimal? Budget { get; set => field = InRange(value, 0, MaxBudget, nameof(Budget)); }

    /// <summary>Gets or sets the HTTP handler. The manager never disposes it.</summary>
    /// <value>The default is <see langword="null"/>: a <see cref="SocketsHttpHandler"/> tuned for many requests, without redirects and
    /// cookies.</value>
    public HttpMessageHandler? HttpMessageHandler { get; set; }

    /// <summary>Gets or sets the clock of all waits and deadlines.</summary>
    /// <exception cref="ArgumentNullException">The value is <see langword="null"/>.</exception>
    public TimeProvider TimeProvider { get; set => field = NotNull(value, nameof(TimeProvider)); } = TimeProvider.System;

    /// <summary>Gets or sets a value indicating whether spans hold prompts and answers.</summary>
    /// <remarks>Prompts and answers may be private, and telemetry often has other readers than the data. See
    /// <c>docs/telemetry.md</c>.</remarks>
    /// <value>The default is <see langword="false"/>, unless the environment variable <see cref="LlmTelemetry.CaptureVariable"/> is
    /// <c>true</c>, <c>span_only</c> or <c>span_and_event</c>.</value>
    public bool CaptureMessageContent { get; set; } =
        Environment.GetEnvironmentVariable(LlmTelemetry.CaptureVariable)?.ToUpperInvariant() is "TRUE" or "SPAN_ONLY" or "SPAN_AND_EVENT";

    /// <summary>Gets or sets the logger. Prompts and answers are logged at Trace only, keys never.</summary>
    public ILogger? Logger { get; set; }

    /// <summary>Gets or sets the source of jitter, 0 ≤ x &lt; 1.</summary>
    internal Func<double>? Jitter { get; set; }

    /// <summary>Gets or sets the ledger of a budget that other managers share; otherwise the manager has one of its own. Its budget is
    /// <see cref="Budget"/>.</summary>
    internal BudgetLedger? SharedBudget { get; set; }

    /// <summary>Gets a value indicating whether <see cref="Timeout"/> was set.</summary>
    internal bool TimeoutChosen { get; private set; }

    /// <summary>Checks what no single property can check, and returns a copy.</summary>
    /// <exception cref="ArgumentException">Two settings contradict each other; the message names them.</exception>
    internal RequestManagerOptions ValidatedCopy()
    {
        Within(FirstByteTimeout, nameof(FirstByteTimeout), Timeout, nameof(Timeout));
        Within(IdleTimeout, nameof(IdleTimeout), Timeout, nameof(Timeout));
        if (TimeoutChosen && TotalTimeout is { } total)
        {
            Within(Timeout, nameof(Timeout), total, nameof(TotalTimeout));
        }

        if (Budget is not null && Prices is null)
        {
            throw new ArgumentException(
                $"{nameof(Budget)} is set, but {nameof(Prices)} is not: without prices it cannot be enforced. "
                + $"Set {nameof(PriceTable)}.{nameof(PriceTable.BuiltIn)}, or your own table.");
        }

        var copy = (RequestManagerOptions)MemberwiseClone();
        copy.RateLimits = RateLimits?.Copy();
        copy.TotalTimeout = TotalTimeout == System.Threading.Timeout.InfiniteTimeSpan ? null : TotalTimeout;
        return copy;
    }

    /// <summary>Lowers the concurrency to the connections for which the process has file descriptors. A handler of the user may need
    /// none.</summary>
    /// <returns>The configured concurrency if it was lowered; otherwise <see langword="null"/>.</returns>
    internal int? FitDescriptors()
    {
        int configured = Concurrency;
        Concurrency = HttpMessageHandler is null ? Math.Min(configured, Descriptors.CountFree()) : configured;
        return Concurrency < configured ? configured : null;
    }

    private static void Within(TimeSpan? shorter, string shorterName, TimeSpan longer, string longerName)
    {
        if (longer != System.Threading.Timeout.InfiniteTimeSpan
            && (shorter > longer || shorter == System.Threading.Timeout.InfiniteTimeSpan))
        {
            throw new ArgumentException(
                $"{shorterName} ({shorter}) is longer than {longerName} ({longer}). Lower the first or raise the second.");
        }
    }

    private static T InRange<T>(T value, T least, T most, string name)
        where T : IComparable<T>
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, least, name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, most, name);
        return value;
    }

    private static T? InRange<T>(T? value, T least, T most, string name)
        where T : struct, IComparable<T> => value is { } set ? InRange(set, least, most, name) : null;

    private static T NotNull<T>(T value, string name)
    {
        ArgumentNullException.ThrowIfNull(value, name);
        return value;
    }

    private static TimeSpan? Positive(TimeSpan? value, string name) => value is { } time ? Positive(time, name) : null;

    private static TimeSpan Positive(TimeSpan value, string name)
    {
        if (value != System.Threading.Timeout.InfiniteTimeSpan)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(value, TimeSpan.Zero, name);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, LongestTime, name);
        }

        return value;
    }
}
