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

    private readonly Limits _before = search.Learned.Current;
    private readonly double _accepted = search.Seen.AcceptedRate;
    private readonly int _inFlight = (int)Math.Ceiling(search.Seen.AcceptedInFlight);
    private readonly double _share = search.Seen.Evidence.Share(search.Seen.Sends);

    public override Limits? Before => _before;

    // What was accepted and is in flight is what a limit allows.
    public override void Begin(double now) =>
        Learned.Set(_before with { InFlight = _inFlight, IsInFlightLearnt = true }, now);

    public override void Advance(double now)
    {
        ShareLevel level = Evidence.Judge(Sends, Floor.Share / LeastLess, Floor.Share, Certainty);
        if (level == ShareLevel.Low && Evidence.Sent(Sends) < Fewest && !Search.IsLate(now))
        {
            return;
        }

        if (level == ShareLevel.Low && (_share < Small || IsAcceptedAsWell))
        {
            Floor.Forget();
            Learned.Trust(Learned.Current);
            Search.HoldLearned(now);
        }
        else if (level != ShareLevel.Open || Search.IsLate(now))
        {
            Learned.Set(_before, now);
            Search.Hold(now);
        }
    }

    public override void Reopened(double now, in Cycle cycle)
    {
        // None of this cut's making.
        Learned.Set(_before, now);
        HoldReopened(now, cycle);
    }

    // What a limit refuses is not missed. Of noise, a part of what is not sent would have been accepted.
    private bool IsAcceptedAsWell => Seen.AcceptedRate >= _accepted * (1 - (Missed * _share));
}
