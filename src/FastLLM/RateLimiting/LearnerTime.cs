namespace FastLLM.RateLimiting;

/// <summary>Represents the time of a learner: it stands still while nothing is to be learned.</summary>
internal sealed class LearnerTime
{
    private double _skipped;
    private double _from = double.NaN;

    /// <summary>Gets a value indicating whether it stands still.</summary>
    public bool IsStill => !double.IsNaN(_from);

    /// <summary>Gets or sets until when it stands still; infinite while that is not known.</summary>
    public double Until { get; set; }

    /// <summary>Gets the time of the learner.</summary>
    public double At(double now) => (IsStill ? _from : now) - _skipped;

    /// <summary>Stops.</summary>
    public void Stop(double now)
    {
        Continue(now);
        (_from, Until) = (now, double.PositiveInfinity);
    }

    /// <summary>Continues, if it stands still.</summary>
    public void Continue(double now)
    {
        if (IsStill)
        {
            _skipped += now - _from;
            _from = double.NaN;
        }
    }
}
