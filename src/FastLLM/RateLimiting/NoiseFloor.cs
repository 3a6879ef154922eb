namespace FastLLM.RateLimiting;

/// <summary>The share of sends that is refused whatever is sent, and what counts as clearly more than that.</summary>
internal sealed class NoiseFloor
{
    // A share this small is never worth a cut.
    private const double Tolerated = 0.01;

    // The mean of about a thousand sends, taken in blocks of sixteen.
    private const int Block = 16;
    private const double Weight = 0.016;

    private double _most = Tolerated;
    private long _sent;
    private long _refused;

    /// <summary>Gets the share.</summary>
    public double Share { get; private set; }

    /// <summary>Gets when the share was last shown not to depend on what is sent.</summary>
    public double ShownAt { get; private set; }

    /// <summary>Gets a value indicating whether there is noise to speak of.</summary>
    public bool IsNoisy => Share > 0.03;

    /// <summary>Gets a share that is as good as the floor.</summary>
    public double Well => Share + 0.01;

    /// <summary>Gets a share that is worth a cut.</summary>
    public double Bad => (Share * 1.2) + 0.05;

    /// <summary>Sets the share that was measured while clearly less was sent than before.</summary>
    public void Show(double share, long sent, double now)
    {
        Share = share;
        _most = share + Math.Sqrt(share / sent);
        ShownAt = now;
    }

    public void Forget(double now)
    {
        Share = 0;
        _most = Tolerated;
        ShownAt = now;
    }

    /// <summary>Starts to follow another count of sends.</summary>
    public void Restart() => _sent = _refused = 0;

    /// <summary>Follows the share while nothing is tried.</summary>
    /// <param name="sent">The sends since <see cref="Restart"/>.</param>
    /// <param name="refused">Those that were refused.</param>
    /// <param name="isLimited">Whether a limit holds sends back. Refusals may then be of its making, so that the share is only corrected downwards.</param>
    public void Follow(long sent, long refused, bool isLimited)
    {
        if (sent < _sent + Block)
        {
            return;
        }

        double share = (refused - _refused) / (double)(sent - _sent);
        Share = Math.Min(Share + ((share - Share) * Weight), isLimited ? Share : _most);
        _sent = sent;
        _refused = refused;
    }
}
