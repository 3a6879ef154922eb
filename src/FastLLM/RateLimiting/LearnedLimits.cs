namespace FastLLM.RateLimiting;

/// <summary>Learns from responses what a provider accepts: how many requests a second, and how many at once. The only way to the two
/// learners.</summary>
/// <remarks>Times are seconds on the clock of <see cref="RateLimiters"/>, under whose lock it stands.</remarks>
/// <param name="concurrency">Learns the number in flight; <see langword="null"/> if that is fixed.</param>
/// <param name="patience">How many refusals within ten seconds it takes to learn a rate from them.</param>
/// <param name="ceiling">The most in flight.</param>
internal sealed class LearnedLimits(LearnedConcurrency? concurrency, int patience, int ceiling)
{
    private const double LatencyWeight = 0.05;
    private const double SlotsForRate = 1.25;

    private readonly LearnedRate _rate = new(patience);
    private double _latency;
    private int _slotsForRate;

    /// <summary>Gets the learned sends per second; infinite if none was learned.</summary>
    public double PerSecond => _rate.PerSecond;

    /// <summary>Gets how many may be in flight.</summary>
    public int Limit => concurrency is null ? ceiling : Math.Min(ceiling, Math.Max(concurrency.Limit, _slotsForRate));

    /// <summary>Gets a value indicating whether successful responses teach something too.</summary>
    public bool LearnsFromSuccess => concurrency is not null || _rate.IsLearned;

    /// <summary>Returns how long until the next send may go; 0 for now.</summary>
    public double Wait(double now) => _rate.Wait(now);

    /// <summary>Notes a send.</summary>
    public void Sent(double now) => _rate.Sent(now);

    /// <summary>Learns from the end of a send.</summary>
    /// <param name="end">How it ended.</param>
    /// <param name="sentAt">When it began.</param>
    /// <param name="now">When it ended.</param>
    /// <param name="inFlight">How many were in flight, this one included.</param>
    /// <param name="wait">How many seconds the provider asks to wait, if it does.</param>
    public void Ended(LeaseEnd end, double sentAt, double now, int inFlight, double wait)
    {
        concurrency?.Ended(end, inFlight, now, wait, _rate.IsLearned);
        switch (end)
        {
            case LeaseEnd.Throttled:
                _rate.Refused(now, sentAt, wait);
                break;
            case LeaseEnd.NotUsed:
                _rate.NotSent(sentAt);
                break;
            case LeaseEnd.Answered:
                _rate.Answered(now, sentAt);
                _latency += (now - sentAt - _latency) * (_latency == 0 ? 1 : LatencyWeight);
                break;
        }

        // A learned rate is the brake. Slots must not be a second one, which would take many rounds of slow responses to loosen.
        _slotsForRate = _rate.IsLearned ? (int)Math.Min(Math.Ceiling(_rate.PerSecond * _latency * SlotsForRate), ceiling) : 0;
    }
}
