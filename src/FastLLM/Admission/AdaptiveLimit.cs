namespace FastLLM.Admission;

/// <summary>How many may be in flight, learnt from what the provider takes.</summary>
/// <remarks>
/// Slow start: the limit doubles after each clean round (as many answers as the limit) until the provider first throttles; from then
/// on it grows by a twentieth, at least by one, a round. A throttled answer cuts it by a fifth, once per episode: answers to what was
/// sent before the cut say nothing new. It grows only where it is used up, and never falls below one. Called under the gate's lock.
/// </remarks>
internal sealed class AdaptiveLimit(int ceiling)
{
    private const int First = 20;
    private const double CutTo = 0.8;
    private const double UsedUp = 0.8;

    private static readonly TimeSpan Episode = TimeSpan.FromSeconds(15);

    private int _limit = Math.Min(First, ceiling);
    private int _clean;
    private bool _slowStart = true;
    private long? _cutAt;

    public int Limit => Volatile.Read(ref _limit);

    public void Ended(LeaseEnd end, int inFlight, int waiting, TimeProvider time)
    {
        switch (end)
        {
            case LeaseEnd.Throttled when !InEpisode(time):
                _cutAt = time.GetTimestamp();
                _slowStart = false;
                _clean = 0;
                Volatile.Write(ref _limit, Math.Max(1, (int)(_limit * CutTo)));
                break;
            case LeaseEnd.Failed or LeaseEnd.Throttled:
                _clean = 0;
                break;
            case LeaseEnd.Answered when !InEpisode(time) && inFlight + waiting >= _limit * UsedUp && ++_clean >= Math.Max(_limit, 4):
                _clean = 0;
                int more = _slowStart ? _limit : Math.Max(1, _limit / 20);
                Volatile.Write(ref _limit, Math.Min(ceiling, _limit + more));
                break;
        }
    }

    private bool InEpisode(TimeProvider time) => _cutAt is { } cut && time.GetElapsedTime(cut) < Episode;
}
