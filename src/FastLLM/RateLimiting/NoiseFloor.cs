namespace FastLLM.RateLimiting;

/// <summary>The share of sends that is refused whatever is sent, and what counts as clearly more than that.</summary>
internal sealed class NoiseFloor
{
    // A share this small is never worth a cut.
    private const double Tolerated = 0.01;

    private const double Half = 0.5;
    private const double Clearly = 0.35;

    // The mean of about a thousand sends, taken in blocks of sixteen.
    private const int Block = 16;
    private const double Weight = 0.016;

    private const double FirstVerify = 60;
    private const int VerifyInSends = 1000;

    // A look at what is in flight costs less, and what it corrects costs more.
    private const double FirstCheck = 5;
    private const int CheckInSends = 300;

    private double _checkAfter = FirstCheck;
    private double _checkedAt;
    private long _checkedIndex;
    private double _verifyAfter = FirstVerify;
    private double _shownAt;
    private long _shownIndex;
    private double _most = Tolerated;
    private double _mean;
    private long _sent;
    private long _refused;

    /// <summary>Gets the share.</summary>
    public double Share { get; private set; }

    /// <summary>Gets a value indicating whether there is noise to speak of.</summary>
    public bool IsNoisy => Share > 0.03;

    /// <summary>Gets a value indicating whether there ever was, as far as is known.</summary>
    public bool WasNoisy { get; private set; }

    /// <summary>Gets a share that is as good as the floor.</summary>
    public double Well => Share + 0.01;

    /// <summary>Gets a share that is worth a cut, even if the floor is a little higher than was measured.</summary>
    public double Bad => (Math.Max(Share, _most) * 1.2) + 0.05;

    /// <summary>Gets a share that is most of the sends, whatever noise refuses of them.</summary>
    public double Most => Math.Max(Half, Share + Clearly);

    /// <summary>Gets how many must be sent for so many to get past the noise.</summary>
    public double Before(double accepted) => accepted / (1 - Share);

    /// <summary>Gets how many get past the noise of so many that are sent.</summary>
    public double Past(double sent) => sent * (1 - Share);

    /// <summary>Sets the share that was measured while clearly less was sent than before.</summary>
    public void Show(double share, long sent, double now, long count)
    {
        _verifyAfter = Math.Abs(share - _most) < 0.1 ? 2 * _verifyAfter : FirstVerify;
        Share = _mean = share;
        WasNoisy |= IsNoisy;
        _most = share + (2 * Math.Sqrt(share * (1 - share) / sent));
        (_shownAt, _shownIndex) = (now, count);
    }

    /// <summary>Tells whether it is time to see whether fewer in flight are refused as much. If it is, it is not for twice as long as
    /// before.</summary>
    public bool TryCheck(double now, long count)
    {
        if (!IsNoisy)
        {
            (_checkedAt, _checkedIndex, _checkAfter) = (now, count, FirstCheck);
        }

        if (now < _checkedAt + _checkAfter || count < _checkedIndex + CheckInSends)
        {
            return false;
        }

        (_checkedAt, _checkedIndex) = (now, count);
        _checkAfter *= 2;
        return true;
    }

    /// <summary>Tells whether the share should be shown again, as it may have become a limit's making.</summary>
    public bool IsOld(double now, long count) => IsNoisy && now > _shownAt + _verifyAfter && count > _shownIndex + VerifyInSends;

    /// <summary>Corrects the share where fewer were refused: whatever is sent, noise refuses no less.</summary>
    public void Lower(double share, int sent)
    {
        double deviation = Math.Sqrt(share * (1 - share) / sent);
        if (sent >= 200 && Share > share + (3 * deviation))
        {
            Share = _mean = share;
            _most = share + (2 * deviation);
        }
    }

    /// <summary>Takes all refusals for a limit's making, until shown otherwise.</summary>
    public void Forget() => (Share, _mean, _most) = (0, 0, Tolerated);

    /// <summary>Starts to follow another count of sends.</summary>
    public void Restart() => _sent = _refused = 0;

    /// <summary>Follows the share while nothing is tried, upwards only as far as the measurement was uncertain: more may be a limit's
    /// making.</summary>
    /// <param name="sent">The sends since <see cref="Restart"/>.</param>
    /// <param name="refused">Those that were refused.</param>
    public void Follow(long sent, long refused)
    {
        if (sent < _sent + Block)
        {
            return;
        }

        double share = (refused - _refused) / (double)(sent - _sent);
        _mean += (share - _mean) * Weight;
        Share = Math.Min(_mean, _most);
        _sent = sent;
        _refused = refused;
    }
}
