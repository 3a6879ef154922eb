namespace FastLLM.RateLimiting;

/// <summary>Begins slowly after a pause, and twice as fast each tenth of a second, so that what has waited does not go as a herd.</summary>
internal sealed class SendRamp
{
    private const double Doubling = 0.1;

    // More do not go before it is known that those before them are taken, unless the first rate takes that many: all of them would be
    // refused where a window ends.
    private const int MostUnsettled = 16;

    // Sends settle after one to two delays.
    private const double DelaysToSettle = 2;

    private const double ShortestRest = 0.01;
    private const double LongestRest = 0.4;

    private double _rate;
    private double _startedAt;
    private long _from;
    private double _rest;

    private bool IsOn => _rate > 0;

    /// <param name="sends">The sends.</param>
    /// <param name="rate">The sends a second at first.</param>
    /// <param name="now">The time.</param>
    public void Start(SendCounter sends, double rate, double now) => (_rate, _from, _startedAt, _rest) = (rate, sends.Count, now, 0);

    public void Stop() => _rate = 0;

    /// <summary>Gets how long the next send must wait; 0 if it may go.</summary>
    public double Wait(SendCounter sends, double now)
    {
        if (!IsOn)
        {
            return 0;
        }

        // So many have gone when the rate has doubled so often.
        double doublings = Math.Log2(1 + ((sends.Count - _from) * Math.Log(2) / (_rate * Doubling)));
        double most = Math.Max(MostUnsettled, _rate * DelaysToSettle * sends.RefusalDelay);
        double settles = sends.Count - sends.Settled >= most ? sends.SettlesAt : 0;
        return Math.Max(0, Math.Max(_startedAt + (doublings * Doubling), settles) - now);
    }

    /// <summary>A send was refused: from the beginning, after a rest that is twice as long each time.</summary>
    public void Refuse(SendCounter sends, double now)
    {
        if (IsOn)
        {
            double rest = Math.Max(Math.Clamp(2 * _rest, ShortestRest, LongestRest), sends.RefusalDelay);
            Start(sends, _rate, now + rest);
            _rest = rest;
        }
    }
}
