using FastLLM.Simulator.Throttling;

namespace FastLLM.Simulator;

/// <summary>Represents a law by which the simulator refuses requests with status 429: an immutable value with value equality.</summary>
/// <remarks>
/// <para>Laws are written as text (<see cref="Parse"/>, <see cref="ToString"/>):</para>
/// <list type="table">
/// <item><term><c>random:10%</c></term><description>Refuses 10 % of all requests, whatever their rate.</description></item>
/// <item><term><c>concurrency:20</c></term><description>Refuses requests while 20 others are being answered.</description></item>
/// <item><term><c>window:500/10s</c></term><description>Admits 500 requests in each 10 seconds by the clock.</description></item>
/// <item><term><c>sliding:500/10s</c></term><description>Admits 500 requests in any 10 seconds.</description></item>
/// <item><term><c>bucket:50/s,burst:10</c></term><description>A token bucket of 10 requests that gains 50 a second.</description></item>
/// </list>
/// <para>Laws can be combined: a request is admitted when all laws admit it. Refused requests do not count against any law.</para>
/// </remarks>
public abstract record ThrottleLaw
{
    internal const int MaxCount = 10_000_000;
    internal const double MaxRate = 1e9;

    internal static readonly TimeSpan MinPeriod = TimeSpan.FromMilliseconds(1);
    internal static readonly TimeSpan MaxPeriod = TimeSpan.FromDays(1);

    private protected ThrottleLaw()
    {
    }

    /// <summary>Creates a law that refuses a share of all requests at random, like an overloaded upstream.</summary>
    /// <remarks>The draw depends on the seed, the body and how often it was sent. The law knows no retry time.</remarks>
    /// <param name="share">The share of requests to refuse, from 0 to 1.</param>
    /// <returns>The law <c>random:P%</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="share"/> is not between 0 and 1.</exception>
    public static ThrottleLaw Random(double share) => new RandomLaw(Check.Between(share, 0, 1, nameof(share)));

    /// <summary>Creates a law that limits the number of requests that are answered at the same time.</summary>
    /// <remarks>A request counts from its admission until just before its answer is sent. The law knows no retry time.</remarks>
    /// <param name="limit">The number of requests, from 1 to 10,000,000.</param>
    /// <returns>The law <c>concurrency:N</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="limit"/> is out of range.</exception>
    public static ThrottleLaw Concurrency(int limit) => new ConcurrencyLaw(Check.Between(limit, 1, MaxCount, nameof(limit)));

    /// <summary>Creates a law that limits the number of requests in each period of the clock.</summary>
    /// <remarks>Periods follow each other from 1970-01-01 00:00 UTC on: those of 10 seconds begin at :00, :10, :20 and so on.</remarks>
    /// <param name="limit">The number of requests, from 1 to 10,000,000.</param>
    /// <param name="period">The length of the period, from 1 ms to 1 day.</param>
    /// <returns>The law <c>window:N/TIME</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of range.</exception>
    public static ThrottleLaw Window(int limit, TimeSpan period) =>
        new WindowLaw(Check.Between(limit, 1, MaxCount, nameof(limit)), Check.Between(period, MinPeriod, MaxPeriod, nameof(period)));

    /// <summary>Creates a law that limits the number of requests in any stretch of time of a given length.</summary>
    /// <param name="limit">The number of requests, from 1 to 10,000,000.</param>
    /// <param name="period">The length of the stretch, from 1 ms to 1 day.</param>
    /// <returns>The law <c>sliding:N/TIME</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of range.</exception>
    public static ThrottleLaw Sliding(int limit, TimeSpan period) =>
        new SlidingLaw(Check.Between(limit, 1, MaxCount, nameof(limit)), Check.Between(period, MinPeriod, MaxPeriod, nameof(period)));

    /// <summary>Creates a token bucket, which is full at first and refills continuously.</summary>
    /// <param name="rate">The number of requests it gains in each <paramref name="period"/>, more than 0 and at most 1,000,000,000.</param>
    /// <param name="period">The period of <paramref name="rate"/>, from 1 ms to 1 day.</param>
    /// <param name="burst">
    /// The number of requests it holds, from 1 to 10,000,000. Default: what it gains in a second, but at least 1 and at most 10,000,000.
    /// </param>
    /// <returns>The law <c>bucket:N/TIME,burst:N</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of range.</exception>
    public static ThrottleLaw Bucket(double rate, TimeSpan period, int? burst = null)
    {
        Check.Positive(rate, MaxRate, nameof(rate));
        Check.Between(period, MinPeriod, MaxPeriod, nameof(period));
        int size = burst ?? (int)Math.Clamp(rate / period.TotalSeconds, 1, MaxCount);
        return new BucketLaw(rate, period, Check.Between(size, 1, MaxCount, nameof(burst)));
    }

    /// <summary>Reads a law from text, such as <c>window:500/10s</c>.</summary>
    /// <remarks>
    /// Times have the units <c>ms</c>, <c>s</c>, <c>min</c> (or <c>m</c>) and <c>h</c>; a unit alone is one of it, as in <c>50/s</c>.
    /// A share is written in percent or as a number from 0 to 1.
    /// </remarks>
    /// <param name="text">The text.</param>
    /// <returns>The law.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    /// <exception cref="FormatException">The text is not a law. The message names the text and the accepted forms.</exception>
    public static ThrottleLaw Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return ThrottleText.Law(text);
    }

    /// <summary>Formats the law as <see cref="Parse"/> reads it.</summary>
    /// <returns>The text, for example <c>bucket:50/s,burst:10</c>.</returns>
    public sealed override string ToString() => Text;

    private protected abstract string Text { get; }

    /// <summary>Begins to apply the law.</summary>
    /// <param name="salt">The seed of its random draws, if it draws any.</param>
    /// <param name="now">The time at which it begins.</param>
    internal abstract ILawState Start(ulong salt, TimeSpan now);
}
