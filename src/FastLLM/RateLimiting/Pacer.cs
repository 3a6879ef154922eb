namespace FastLLM.RateLimiting;

/// <summary>Spaces sends evenly. Does nothing until a rate is set.</summary>
internal sealed class Pacer
{
    // A timer that fires late costs no send, but what it makes up for at once must fit into the smallest burst that providers allow.
    private const double CatchUp = 0.02;

    // Whatever was measured: a run must not look as if it hung, and what no send tests is never corrected.
    private const double LowestRate = 0.1;

    private double _next = double.NegativeInfinity;

    /// <summary>Gets the sends a second; infinite where they are not paced.</summary>
    public double Rate { get; private set; } = double.PositiveInfinity;

    public bool IsOn => !double.IsPositiveInfinity(Rate);

    /// <summary>Gets or sets a value indicating whether a send had to wait for the pace since this was last cleared.</summary>
    public bool HasHeldBack { get; set; }

    /// <summary>Sets the rate, but no lower than one send in ten seconds.</summary>
    public void Set(double rate, double now)
    {
        // Where no time was measured, it is not a number.
        Rate = rate >= LowestRate ? rate : LowestRate;
        HasHeldBack = false;
        _next = Math.Max(Math.Min(_next, now + (1 / Rate)), now);
    }

    /// <summary>Gets how long the next send must wait; 0 if it may go.</summary>
    public double Wait(double now)
    {
        double wait = _next - now;
        if (!IsOn || wait <= 1e-9)
        {
            return 0;
        }

        HasHeldBack = true;
        return wait;
    }

    public void Sent(double now)
    {
        if (IsOn)
        {
            _next = Math.Max(_next, now - CatchUp) + (1 / Rate);
        }
    }
}
