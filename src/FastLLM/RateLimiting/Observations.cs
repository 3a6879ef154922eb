namespace FastLLM.RateLimiting;

/// <summary>What the sends of one model have shown: how many were refused, when, and what was in flight meanwhile.</summary>
/// <param name="sends">The sends.</param>
/// <param name="firstAt">When the first send began.</param>
/// <param name="seesAll">Whether no other process shares the limit.</param>
internal sealed class Observations(SendCounter sends, double firstAt, bool seesAll)
{
    private const double Start = 1;

    // Sends settle after one to two delays.
    private const double DelaysToSettle = 1.5;

    private double _lastAt;
    private double _evidenceFrom;

    public SendCounter Sends => sends;

    /// <summary>Gets a value indicating whether no other process shares the limit.</summary>
    public bool SeesAll => seesAll;

    /// <summary>Gets what was seen since evidence was last collected anew.</summary>
    public Evidence Evidence { get; } = new();

    public NoiseFloor Floor { get; } = new();

    /// <summary>Gets the share of sends that is refused at random as far as is known, or that usually was while that is not
    /// known.</summary>
    public double Noise => Floor.IsNoisy ? Floor.Share : Pattern.Usual;

    /// <summary>Gets how the refusals of the present phase are spread.</summary>
    public RefusalPattern Pattern { get; } = new(seesAll);

    /// <summary>Gets the last moment at which the provider had nothing left: what it accepts from there to the next such moment is its
    /// limit.</summary>
    public Emptied Emptied { get; private set; }

    /// <summary>Gets the number of sends that were not refused.</summary>
    public long Accepted => sends.Count - sends.Refused;

    /// <summary>Gets the sends that were accepted a second, as far as the evidence goes back.</summary>
    public double AcceptedRate => Evidence.Sent(sends) * (1 - Evidence.Share(sends)) / Math.Max(_lastAt - _evidenceFrom, 1e-3);

    /// <summary>Gets how many accepted sends were in flight on average, those counted that are not settled yet.</summary>
    public double AcceptedInFlight => Evidence.AcceptedInFlight + (AcceptedRate * DelaysToSettle * sends.RefusalDelay);

    /// <summary>Tells whether so little time has passed that connections are still made, and code is still compiled, here or
    /// there.</summary>
    public bool IsAtStart(double now) => now < firstAt + Start;

    /// <summary>A send begins.</summary>
    public void Sent(in SendMark mark) => Evidence.Add(mark, sends.AcceptedInFlight);

    /// <summary>A send was refused, and is counted.</summary>
    public void Refused(in SendMark mark)
    {
        Evidence.Refuse(mark, sends.InFlight);
        if (!Floor.IsNoisy)
        {
            Emptied = new Emptied(mark.At, mark.Index - sends.Refused + 1);
        }
    }

    /// <summary>Settles the sends that are old enough.</summary>
    /// <returns>Whether there may be news.</returns>
    public bool Settle(double now)
    {
        _lastAt = now;
        return sends.Settle(now);
    }

    /// <summary>Takes in what has settled while sends are not held back by a closure.</summary>
    public void Follow(double now)
    {
        Pattern.Follow(sends, now);
        Floor.Lower(Pattern.Share, Pattern.Sent);
    }

    /// <summary>Collects evidence anew, from the next send on.</summary>
    public void Renew()
    {
        Evidence.Start(sends.Count);
        _evidenceFrom = _lastAt;
        Floor.Restart();
    }
}
