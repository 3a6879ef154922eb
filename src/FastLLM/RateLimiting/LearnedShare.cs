namespace FastLLM.RateLimiting;

/// <summary>Limits the sends of one process to its share of what is learned by one process for all: the one that leads.</summary>
/// <remarks>
/// <para>All processes have the same limits, but for a factor. So the sends of the one that leads are a sample of all sends, and what it
/// finds out holds for the sum. That is true only while all have the same: when it changes its limits, it learns nothing until the others
/// have them, too. Its <see cref="LearningLimiter"/> does not notice: its time stands still meanwhile, and it does not see these
/// sends.</para>
/// <para>Before anything is known, each process learns for itself. While the others cannot be reached, what is known holds.</para>
/// </remarks>
internal sealed class LearnedShare(LearningLimiter learner)
{
    // A process that starts among others waits for so long to get its share. Until then it sends one at a time: with all that it may have
    // in flight, it would overrun the limits that the others keep.
    private const double FirstShare = 3;

    // In this time after a grant, all others have had theirs.
    private const double Adoption = 1.15;

    // So much of what the others send may be refused, or be what may be sent at once, before a try for more notices.
    private const double Doubtful = 0.1;

    // If so much more was accepted, there may be still more.
    private const double Grown = 1.2;

    // If everything is refused, the learner must see it.
    private const int MostRefused = 16;

    // More than is used is asked for, so that the use can grow.
    private const double Room = 1.25;
    private const long Aside = -1;

    // Long because a share is led and followed here: what one does, the other must fit.
    // Many fields because what was shared is compared with what is known now.
    private readonly LearnerTime _time = new();
    private readonly SendRate _rate = new();
    private readonly Pacer _meanwhile = new();
    private Role _role = Role.Alone;
    private LearnedGrant? _grant;
    private double _aloneFrom = double.NaN;
    private Limits _shared;
    private double _before;
    private (double? InFlight, double? PerSecond) _total;
    private bool _isRaising;
    private bool _isRaised;
    private bool _isReported;
    private double _validUntil;
    private int _refusedInARow;

    private enum Role
    {
        Alone,
        Leads,
        Follows,
    }

    // Limits were learned that the others do not have yet.
    private bool HasNews => _time.IsStill && double.IsPositiveInfinity(_time.Until);

    /// <summary>Gets a value indicating whether it is not known yet what the others know.</summary>
    public bool IsNew => _grant is null;

    /// <inheritdoc cref="LearningLimiter.Wait"/>
    public double Wait(double now, out BlockReason block)
    {
        if (IsNew && learner.InFlight > 0)
        {
            _aloneFrom = double.IsNaN(_aloneFrom) ? now + FirstShare : _aloneFrom;
            if (now < _aloneFrom)
            {
                block = BlockReason.Concurrency;
                return _aloneFrom - now;
            }
        }

        Update(now);
        if (!_time.IsStill)
        {
            double wait = learner.Wait(_time.At(now), out block);
            Notice(now);
            if (!_time.IsStill)
            {
                return wait;
            }
        }

        block = BlockReason.Concurrency;
        if (learner.InFlight >= learner.Limit)
        {
            return double.PositiveInfinity;
        }

        double pause = _meanwhile.Wait(now);
        block = pause > 0 ? BlockReason.Requests : BlockReason.None;
        return pause;
    }

    /// <inheritdoc cref="LearningLimiter.Sent"/>
    public SendMark Sent(double now)
    {
        _rate.Send();
        if (!_time.IsStill)
        {
            return learner.Sent(_time.At(now));
        }

        learner.SentAside();
        _meanwhile.Sent(now);
        return new SendMark(Aside, now, learner.InFlight - 1);
    }

    /// <inheritdoc cref="LearningLimiter.Ended"/>
    public void Ended(in SendMark mark, double now, bool isRefused, bool isAnswered, double retryAfter)
    {
        if (isRefused)
        {
            _rate.Refuse();
        }
        else if (isAnswered)
        {
            _refusedInARow = 0;
        }

        if (mark.Index == Aside)
        {
            learner.EndedAside();
            if (isRefused && ++_refusedInARow >= MostRefused && _time.IsStill)
            {
                _time.Continue(now);
            }

            return;
        }

        learner.Ended(mark, _time.At(now), isRefused, isAnswered, retryAfter);
        if (isRefused || isAnswered)
        {
            Notice(now);
        }
    }

    /// <inheritdoc cref="LearningLimiter.Forgive"/>
    public void Forgive(double now) => learner.Forgive(_time.At(now));

    /// <summary>Returns what this process knows and wants.</summary>
    /// <param name="now">The time.</param>
    /// <param name="isWaiting">Whether sends wait.</param>
    public LearnedReport Report(double now, bool isWaiting)
    {
        Update(now);
        _rate.Next(now);
        double wants = isWaiting ? Permits.Unlimited : _rate.Sent * Room;
        if (_role == Role.Leads && !_grant!.IsKnown)
        {
            _total = TotalOf(learner.Limits);
        }

        bool tells = _role == Role.Leads && (_grant!.IsKnown || learner.IsHolding);
        _isReported = tells && HasNews;
        return tells
            ? new LearnedReport(
                true, learner.IsHolding, _total.InFlight, _total.PerSecond, learner.Law.RandomShare, wants, _rate.Accepted,
                learner.InFlight)
            : new LearnedReport(false, false, null, null, 0, wants, _rate.Accepted, learner.InFlight);
    }

    /// <summary>Takes the share.</summary>
    public void Grant(double now, LearnedGrant grant)
    {
        if (grant.ValidFor <= 0)
        {
            return; // nothing was decided
        }

        _validUntil = now + grant.ValidFor;
        LearnedGrant? before = _grant;
        _grant = grant;
        if (!grant.Leads)
        {
            Follow(now, grant, before);
        }
        else if (_role != Role.Leads)
        {
            Lead(now, grant);
        }
        else if (grant.IsKnown
            && (!before!.IsKnown || grant.Share != before.Share || (_isReported && (_isRaised || grant.IsCorrected))))
        {
            Conform(now, grant);
        }
        else if (_isReported)
        {
            _time.Until = now + Adoption;
        }
    }

    // What another process has learned comes first; before that, all learn.
    private void Follow(double now, LearnedGrant grant, LearnedGrant? before)
    {
        if (!grant.IsKnown && _role == Role.Alone)
        {
            return;
        }

        _time.Continue(now);
        if (_role != Role.Follows || before is null || IsOther(grant, before))
        {
            learner.Adopt(LimitsOf(grant), grant.RandomShare, true, false, _time.At(now));
        }

        _role = Role.Follows;
    }

    private void Lead(double now, LearnedGrant grant)
    {
        _role = Role.Leads;
        if (grant.IsKnown)
        {
            Conform(now, grant);
        }
    }

    // Continues with the share in what is known of all.
    private void Conform(double now, LearnedGrant grant)
    {
        _time.Continue(now);
        Limits limits = LimitsOf(grant);
        bool hasGrown = _isRaised && limits.Rate > _before * Grown;
        learner.Adopt(limits, grant.RandomShare, false, hasGrown, _time.At(now));
        _shared = learner.Limits;
        _total = (grant.InFlightOfAll, grant.PerSecond / grant.Share);
        StepAside(now);
        _time.Until = now + Adoption;
    }

    private Limits LimitsOf(LearnedGrant grant) => new(
        grant.InFlight ?? (learner.Limits.IsInFlightLearnt ? int.MaxValue : learner.Limit),
        grant.InFlight is not null,
        grant.PerSecond ?? double.PositiveInfinity);

    // The learner's limits have changed. It tries for more alone: what is refused then is its doing. All other changes are changes of all,
    // so nothing is learned until all have them.
    private void Notice(double now)
    {
        if (_role != Role.Leads || !_grant!.IsKnown || _time.IsStill || learner.IsClosed)
        {
            return;
        }

        Limits limits = learner.Limits;
        bool isHolding = learner.IsHolding;
        if (IsSame(_shared, limits))
        {
            _isRaising &= !isHolding;
        }
        else if (learner.IsTryingMore && IsMore(limits, _shared))
        {
            _isRaising = true;
        }
        else
        {
            bool isRaised = _isRaising && isHolding;
            _total = isRaised ? Raised(limits) : TotalOf(limits);
            StepAside(now);
            _isRaised = isRaised;
            _before = _shared.Rate;
            _shared = limits;
        }
    }

    private (double? InFlight, double? PerSecond) TotalOf(in Limits limits) => (
        limits.IsInFlightLearnt ? limits.InFlight / _grant!.Share : null,
        double.IsPositiveInfinity(limits.Rate) ? null : limits.Rate / _grant!.Share);

    // What the leader has gained is added to what all have.
    private (double? InFlight, double? PerSecond) Raised(in Limits limits)
    {
        (double? inFlight, double? perSecond) = TotalOf(limits);
        if (inFlight is not null && _total.InFlight is { } most)
        {
            inFlight = most + Math.Max(0, limits.InFlight - _shared.InFlight - DoubtfulOf(most));
        }

        if (perSecond is not null && _total.PerSecond is { } rate)
        {
            perSecond = rate + Math.Max(0, limits.Rate - _shared.Rate - DoubtfulOf(rate));
        }

        return (inFlight, perSecond);
    }

    private double DoubtfulOf(double total) => (1 - _grant!.Share) * Doubtful * total;

    private void StepAside(double now)
    {
        _time.Stop(now);
        _isRaising = _isRaised = _isReported = false;
        _refusedInARow = 0;
        _meanwhile.Set(learner.Limits.Rate, now);
    }

    private void Update(double now)
    {
        if (_role == Role.Leads && _grant!.IsKnown && now > _validUntil)
        {
            // The others cannot follow: what is known holds.
            _time.Continue(now);
            learner.Adopt(LimitsOf(_grant), _grant.RandomShare, true, false, _time.At(now));
            _role = Role.Follows;
        }
        else if (_time.IsStill && now >= _time.Until)
        {
            _time.Continue(now);
        }
    }

    private static bool IsSame(in Limits one, in Limits other) =>
        one.Rate == other.Rate && one.IsInFlightLearnt == other.IsInFlightLearnt
        && (!one.IsInFlightLearnt || one.InFlight == other.InFlight);

    private static bool IsMore(in Limits limits, in Limits than) =>
        limits.Rate > than.Rate || (than.IsInFlightLearnt && (!limits.IsInFlightLearnt || limits.InFlight > than.InFlight));

    private static bool IsOther(LearnedGrant one, LearnedGrant other) =>
        one.InFlight != other.InFlight || one.PerSecond != other.PerSecond || Math.Abs(one.RandomShare - other.RandomShare) > 0.02;
}
