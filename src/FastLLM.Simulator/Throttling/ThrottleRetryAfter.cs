using FastLLM.Simulator.Throttling;

namespace FastLLM.Simulator;

/// <summary>Represents the <c>Retry-After</c> and <c>retry-after-ms</c> of refusals by a law: an immutable value.</summary>
public sealed record ThrottleRetryAfter
{
    internal const double MaxFactor = 1000;

    internal static readonly TimeSpan MaxTime = TimeSpan.FromDays(1);

    private readonly TimeSpan? _time;
    private readonly double? _factor;

    private ThrottleRetryAfter(TimeSpan? time, double? factor)
    {
        _time = time;
        _factor = factor;
    }

    /// <summary>Gets the rule that tells the correct time where a law knows it, and none otherwise.</summary>
    /// <remarks>Windows and buckets know it, random refusals and limits of concurrency do not.</remarks>
    public static ThrottleRetryAfter Correct { get; } = new(time: null, factor: 1);

    /// <summary>Gets the rule that never tells a time.</summary>
    public static ThrottleRetryAfter None { get; } = new(time: null, factor: null);

    /// <summary>Creates a rule that tells the same time in each refusal, whatever the law.</summary>
    /// <param name="time">The time, from 0 to 1 day.</param>
    /// <returns>The rule.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="time"/> is out of range.</exception>
    public static ThrottleRetryAfter Always(TimeSpan time) => new(Check.Between(time, TimeSpan.Zero, MaxTime, nameof(time)), factor: null);

    /// <summary>Creates a rule that tells a wrong time where a law knows the correct one.</summary>
    /// <param name="factor">What the correct time is multiplied by, more than 0 and at most 1000.</param>
    /// <returns>The rule.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="factor"/> is out of range.</exception>
    public static ThrottleRetryAfter Wrong(double factor) => new(time: null, Check.Positive(factor, MaxFactor, nameof(factor)));

    /// <summary>Reads a rule from text: a time such as <c>1</c> (seconds) or <c>500ms</c>, <c>none</c>, or <c>wrong:10x</c>.</summary>
    /// <param name="text">The text.</param>
    /// <returns>The rule.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="text"/> is <see langword="null"/>.</exception>
    /// <exception cref="FormatException">The text is not a rule. The message names the text and the accepted forms.</exception>
    public static ThrottleRetryAfter Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return ThrottleText.RetryAfter(text);
    }

    /// <summary>Computes what to tell, from what is correct.</summary>
    internal TimeSpan? Of(TimeSpan? correct) => _time ?? correct * _factor;
}
