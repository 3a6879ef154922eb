namespace FastLLM.RateLimiting;

/// <summary>Limits how many sends are in flight. In a slow start it begins low and doubles with each round of answers.</summary>
/// <param name="ceiling">The configured concurrency, never exceeded.</param>
/// <param name="slowStart">Whether to start low.</param>
internal sealed class InFlightCap(int ceiling, bool slowStart)
{
    // Enough to finish a small job in one round, too few to overload a provider.
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

    /// <summary>
    /// In a slow start, doubles the value once as many answers came as it allows at once. That ends when refusals teach a limit.
    /// </summary>
    public void Answered()
    {
        if (!IsLearnt && Value < ceiling && ++_answers >= Value)
        {
            Double();
        }
    }

    /// <summary>Doubles the value: where answers take long, that nothing was refused must do.</summary>
    public void Double()
    {
        _answers = 0;
        Value = (int)Math.Min(ceiling, 2L * Value);
    }
}
