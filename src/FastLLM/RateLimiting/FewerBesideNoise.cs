namespace FastLLM.RateLimiting;

/// <summary>Sends fewer at once for a moment, to see whether as much is refused as noise does.</summary>
/// <remarks>
/// A limit on what is in flight that is used up all the time refuses as if by chance where latencies vary: a send is accepted if another
/// one was answered just before. Fewer in flight show which of the two it is.
/// </remarks>
internal sealed class FewerBesideNoise(LawSearch search) : SearchPhase(search)
{
    // A third of the noise is no noise: 400 to 1.
    private const double LeastLess = 3;
    private const double Certainty = 6;

    // What is accepted is measured only nearly, from so many sends on: this is a little more than half way from what noise leaves to what
    // a limit does.
    private const double Missed = 0.6;
    private const int Fewest = 64;

    // So little noise does not tell the two apart by what is accepted, and a mistake costs no more than that.
    private const double Small = 0.1;

    private readonly Limits _before = search.Limits;
    private readonly double _accepted = search.AcceptedRate;
    private readonly int _inFlight = (int)Math.Ceiling(search.AcceptedInFlight);
    private readonly double _share = search.Evidence.Share(search.Sends);

    public override Limits? Before => _before;

    // What was accepted and is in flight is what a limit allows.
    public override void Begin(double now) =>
        Search.Set(_before with { InFlight = _inFlight, IsInFlightLearnt = true }, now);

    public override void Advance(double now)
    {
        (NoiseFloor floor, SendCounter sends) = (Search.Floor, Search.Sends);
        ShareLevel level = Search.Evidence.Judge(sends, floor.Share / LeastLess, floor.Share, Certainty);
        if (level == ShareLevel.Low && Search.Evidence.Sent(sends) < Fewest && !Search.IsLate(now))
        {
            return;
        }

        if (level == ShareLevel.Low && (_share < Small || IsAcceptedAsWell))
        {
            floor.Forget();
            Search.Trust(Search.Limits);
            Search.Learned(now);
        }
        else if (level != ShareLevel.Open || Search.IsLate(now))
        {
            Search.Set(_before, now);
            Search.Hold(now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        // None of this cut's making.
        Search.Set(_before, now);
        HoldReopened(now, cycle);
    }

    // What a limit refuses is not missed. Of noise, a part of what is not sent would have been accepted.
    private bool IsAcceptedAsWell => Search.AcceptedRate >= _accepted * (1 - (Missed * _share));
}
