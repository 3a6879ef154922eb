namespace FastLLM.RateLimiting;

/// <summary>What the sends of one phase tell.</summary>
/// <remarks>
/// The share of refusals counts only settled sends: refusals come sooner than the certainty that a send was accepted, so it would be too
/// high otherwise.
/// </remarks>
internal sealed class Evidence
{
    /// <summary>The sends a second from which a pattern tells sooner than gaps whether refusals are random.</summary>
    public const double MostPerSecond = 32;

    // Of nine refusals, a limit makes gaps that are all the same, or one longer: less than half the variance of chance, as long as at most
    // two thirds are refused. Twice as many show whether chance has made them so even. A window makes long gaps, and far more without any
    // accepted send between than chance (once in forty times).
    private const int FewestGaps = 8;
    private const double ShortestGap = 1.5;
    private const double LeastRandom = 0.5;
    private const double Deviations = 2;

    // Chance and answers that come together make it vary by less.
    private const double LeastPart = 0.75;

    // After that time gaps tell sooner than a pattern, which takes more than a hundred sends.
    private const double Slow = 2;

    // Many fields because each is a sum of its own.
    private readonly Separation _separation = new();
    private long _first;
    private SendMark _firstRefusal;
    private SendMark _lastRefusal;
    private double _levels;
    private double _refusedLevels;
    private double _accepted;
    private int _counted;
    private double _squares;
    private int _inARow;
    private int _leastLevel = int.MaxValue;

    public int Refused { get; private set; }

    /// <summary>Gets how many stayed in flight after the last refusal.</summary>
    public int LastInFlight { get; private set; }

    /// <summary>Gets the sends accepted between the first and the last refusal.</summary>
    public long Accepted => Refused < 2 ? 0 : Math.Max(0, _lastRefusal.Index - _firstRefusal.Index - (Refused - 1));

    /// <summary>Gets the seconds between the first and the last refused send.</summary>
    public double Span => Refused < 2 ? 0 : _lastRefusal.At - _firstRefusal.At;

    /// <summary>
    /// Gets what was accepted a second between two refusals. If the rate is limited, that is the limit, as nothing was left at both.
    /// </summary>
    /// <remarks>It may be off by one send, so one less is counted: limits are raised more easily than lowered.</remarks>
    public double Rate => Math.Max(Accepted - 1, 0) / Math.Max(Span, 1e-3);

    /// <summary>Gets the sends after the first refused one, up to the last one.</summary>
    public long SentInGaps => Refused < 2 ? 0 : _lastRefusal.Index - _firstRefusal.Index;

    /// <summary>Gets the share that was refused of them.</summary>
    public double ShareInGaps => (Refused - 1.0) / SentInGaps;

    /// <summary>Gets a value indicating whether so few are sent a second that the gaps between refusals tell sooner whether they are random
    /// than <see cref="RefusalPattern"/> does.</summary>
    public bool IsSlow => Span > Slow && SentInGaps < Span * MostPerSecond;

    /// <summary>Gets a value indicating whether the gaps between refusals differ as by chance.</summary>
    public bool IsRandom => Refused > FewestGaps && IsLikeChance(LeastRandom);

    /// <summary>Gets a value indicating whether a few refusals more may show that they are random.</summary>
    public bool MayBeRandom => Refused <= FewestGaps || (Refused <= 2 * FewestGaps && IsLikeChance(LeastRandom / 2));

    /// <summary>Gets a value indicating whether mainly those sends were refused that met more others in flight than usual.</summary>
    public bool IsAboutInFlight => _counted > 0 && _refusedLevels / Refused > 1 + (InFlight * 1.1);

    /// <summary>Gets a value indicating whether a limit on what is in flight is seen to refuse.</summary>
    public bool IsByInFlight => _separation.IsSeen;

    /// <summary>Gets a value indicating whether no refused send met far fewer others than the rest. A limit on the rate leaves fewer and
    /// fewer in flight.</summary>
    public bool StaysInFlight => Refused > 0 && _leastLevel >= LeastPart * _refusedLevels / Refused;

    public void Start(long next)
    {
        _first = next;
        Refused = _counted = _inARow = 0;
        _levels = _refusedLevels = _squares = _accepted = 0;
        _separation.Start();
        _leastLevel = int.MaxValue;
    }

    /// <summary>Gets how many others were in flight on average when sends began.</summary>
    public double InFlight => _counted > 0 ? _levels / _counted : 0;

    /// <summary>Gets how many accepted sends were in flight on average when others began.</summary>
    public double AcceptedInFlight => _counted > 0 ? _accepted / _counted : 0;

    public void Add(in SendMark sent, long acceptedInFlight)
    {
        _accepted += acceptedInFlight;
        _levels += sent.InFlight;
        _separation.Add(sent, Refused > 0);
        _counted++;
    }

    /// <summary>Counts a refusal, unless the send belongs to an earlier phase.</summary>
    public void Refuse(in SendMark mark, int inFlight)
    {
        if (mark.Index < _first)
        {
            return;
        }

        if (Refused++ == 0)
        {
            _firstRefusal = mark;
        }

        long gap = Refused > 1 ? mark.Index - _lastRefusal.Index : 0;
        _squares += (double)gap * gap;
        _inARow += gap == 1 ? 1 : 0;
        _lastRefusal = mark;
        _refusedLevels += mark.InFlight;
        _leastLevel = Math.Min(_leastLevel, mark.InFlight);
        LastInFlight = inFlight;
        _separation.Refuse(mark);
    }

    /// <summary>Gets the number of settled sends.</summary>
    public long Sent(SendCounter sends) => Math.Max(0, sends.Settled - _first);

    /// <summary>Gets the number of those that were refused.</summary>
    public long RefusedOf(SendCounter sends) => sends.Settled < _first ? 0 : Math.Clamp(Refused - sends.RefusedUnsettled, 0, Sent(sends));

    public double Share(SendCounter sends) => Sent(sends) is > 0 and var sent ? (double)RefusedOf(sends) / sent : 0;

    /// <summary>Tells whether the share of refusals is low or high.</summary>
    /// <param name="sends">The sends.</param>
    /// <param name="low">The share expected if all is well.</param>
    /// <param name="high">The share expected if it is not.</param>
    /// <param name="certainty">See <see cref="ShareTest"/>.</param>
    /// <param name="isLate">Whether to decide for what is more likely, however uncertain.</param>
    public ShareLevel Judge(SendCounter sends, double low, double high, double certainty, bool isLate = false)
    {
        long sent = Sent(sends);
        ShareLevel level = ShareTest.Judge(sent, RefusedOf(sends), low, high, certainty);
        return level != ShareLevel.Open || !isLate ? level : Share(sends) * 2 < low + high ? ShareLevel.Low : ShareLevel.High;
    }

    // What chance makes is a geometric distribution, and it refuses some that meet fewer others in flight than usual.
    private bool IsLikeChance(double leastVariance)
    {
        (int gaps, double share) = (Refused - 1, ShareInGaps);
        double mean = 1 / share;
        double variance = (_squares - (SentInGaps * mean)) / (gaps - 1);
        return mean >= ShortestGap && _leastLevel <= InFlight && variance > leastVariance * mean * (mean - 1)
            && _inARow <= (gaps * share) + (Deviations * Math.Sqrt(gaps * share * (1 - share)));
    }
}
