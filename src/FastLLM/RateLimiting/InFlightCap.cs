namespace FastLLM.RateLimiting;

/// <summary>Limits how many sends are in flight. Starts at the ceiling or, in a slow start, low and doubles with each round of answers.</summary>
/// <param name="ceiling">The configured concurrency, never exceeded.</param>
/// <param name="slowStart">Whether to start low.</param>
internal sealed class InFlightCap(int ceiling, bool slowStart)
{
    // Enough to finish a small job in one round, too few to hurt anybody.
    private const int First = 20;

    private int _answers;

    public int Value { get; private set; } = slowStart ? Math.Min(First, ceiling) : ceiling;

    public int Ceiling => ceiling;

    /// <summary>Gets a value indicating whether the value was taught by refusals.</summary>
    public bool IsLearnt { get; private set; }

    /// <summary>Gets or sets a value indicating whether a send had to wait for a slot since this was last cleared.</summary>
    public bool HasHeldBack { get; set; }

    public void Set(int value, bool isLearnt)
    {
        Value = Math.Clamp(value, 1, ceiling);
        IsLearnt = isLearnt && Value < ceiling;
        HasHeldBack = false;
    }

    /// <summary>Doubles the value once as many answers came as it allows at once. Only before the first refusal.</summary>
    public void Answered()
    {
        if (Value < ceiling && ++_answers >= Value)
        {
            _answers = 0;
            Value = (int)Math.Min(ceiling, 2L * Value);
        }
    }
}
