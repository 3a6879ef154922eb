namespace FastLLM.RateLimiting;

/// <summary>How many may be in flight, learned from what the provider takes.</summary>
/// <remarks>Slow start: the limit doubles after each clean round (as many answers as the limit) until the provider first throttles; from
/// then on it grows by a twentieth, at least by one, a round. A throttled answer cuts it by a fifth, once per episode: answers to what was
/// sent before the cut say nothing new. It grows only where it is used up, and never falls below one. Called under the limiters'
/// lock.</remarks>
internal sealed class LearnedConcurrency(int ceiling)
{
    private const int First = 20;
    private const double CutTo = 0.8;
    private const double UsedUp = 0.8;
    private const double Episode = 15;

    private int _limit = Math.Min(First, ceiling);
    private int _clean;
    private bool _slowStart = true;
    private double _episodeEnds = double.NegativeInfinity;

    public int Limit => _limit;

    /// <summary>An attempt has ended.</summary>
    /// <param name="end">How.</param>
    /// <param name="inFlight">How many were in flight, with this one.</param>
    /// <param name="now">When.</param>
    /// <param name="wait">How long the provider asked to wait; the episode lasts at least that long.</param>
    /// <param name="paced">Whether a learned rate holds sends back: then a refusal is the rate's fault, unless the limit is used up
    /// too.</param>
    public void Ended(LeaseEnd end, int inFlight, double now, double wait = 0, bool paced = false)
    {
        bool usedUp = inFlight >= _limit * UsedUp;
        switch (end)
        {
            case LeaseEnd.Throttled or LeaseEnd.Overloaded when now >= _episodeEnds && (usedUp || !paced):
                _episodeEnds = now + Math.Max(Episode, wait);
                _slowStart = false;
                _clean = 0;
                _limit = Math.Max(1, (int)(_limit * CutTo));
                break;
            case LeaseEnd.Failed or LeaseEnd.Throttled or LeaseEnd.Overloaded:
                _clean = 0;
                break;
            case LeaseEnd.Answered when now >= _episodeEnds && usedUp && ++_clean >= Math.Max(_limit, 4):
                _clean = 0;
                _limit = Math.Min(ceiling, _limit + (_slowStart ? _limit : Math.Max(1, _limit / 20)));
                break;
        }
    }
}
