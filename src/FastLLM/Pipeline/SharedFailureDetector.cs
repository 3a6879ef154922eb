using System.Globalization;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Detects by evidence whether failures are the rows' own, a model's, or shared by all.</summary>
/// <remarks>
/// <para>A row that fails for a reason that others may share is suspected. It has failed on its own if a send that began later is answered,
/// for a reason of a model: by that model, or by another one. If <see cref="Enough"/> rows are suspected of the same, sends (for a reason
/// of a model: of that model) are held until what was in flight has returned, and a few of the held rows, the one read last and others
/// that are drawn, are sent as probes. If none is answered, the run stops and its rows stay pending; a model's rows are not sent any more,
/// and the others continue.</para>
/// <para>Until any row has an answer that can be used, failures for reasons of their own are suspected too
/// (<see cref="EnoughOfAny"/>).</para>
/// <para>While no row is suspected, a send costs two increments and a few reads. Safe for concurrent use.</para>
/// </remarks>
internal sealed class SharedFailureDetector
{
    /// <summary>How many rows that fail for the same reason are no coincidence.</summary>
    public const int Enough = 10;

    /// <summary>The same for a key that is refused, a certificate or a host name, before anything was answered: no row has its
    /// own.</summary>
    public const int EnoughOfKey = 3;

    /// <summary>How many rows in a row with responses that cannot be read are no coincidence, after others were answered.</summary>
    public const int EnoughUnreadable = 100;

    /// <summary>How many rows that fail, whatever the reasons, are no coincidence, if none has a good answer.</summary>
    public const int EnoughOfAny = 100;

    /// <summary>How many rows of closed models wait at most for an answer of another model: they are kept in memory.</summary>
    public const int MaxSkipped = 10_000;

    /// <summary>How many rows are sent as probes.</summary>
    public const int Probes = 3;

    // Many fields because what a send reads without the lock is kept apart from what the lock guards.
    // Long because everything that is decided is decided under one lock.
    private readonly Lock _gate = new();
    private readonly bool _stopsIfAlike;
    private readonly Suspects _suspects;
    private readonly SendCounts _sends = new();
    private readonly OutageWatch _outage;
    private readonly HeldSends _held;
    private readonly ProbeRound _round;
    private LlmException? _outageCause;
    private FailureScope? _ended;
    private SuspectGroup? _awaited;
    private long _lastOrder;
    private volatile bool _isHolding;
    private volatile bool _isWatching = true;

    /// <param name="stopsIfAlike">Whether rows that fail alike stop the run. If not, only the account's and a model's do, and only until
    /// anything is answered.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">Draws probes: random numbers, 0 ≤ random &lt; 1.</param>
    /// <param name="later">Runs an action after all workers that are ready.</param>
    public SharedFailureDetector(bool stopsIfAlike, TimeProvider time, Func<double>? random = null, Action<Action>? later = null)
    {
        _stopsIfAlike = stopsIfAlike;
        _suspects = new Suspects(bearsAll: !stopsIfAlike);
        _held = new HeldSends(random ?? Jitter.Next);
        Time = time;
        _outage = new OutageWatch(time);
        _round = new ProbeRound(time, later ?? Queue, SendProbes);
    }

    /// <summary>Creates a detector that decides nothing, for runs of one row: any number of them may share it.</summary>
    public static SharedFailureDetector CreateIdle(TimeProvider time) =>
        new(stopsIfAlike: false, time) { _ended = FailureScope.Request, _isWatching = false };

    /// <summary>Gets the clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>Gets or sets what tells whether the source of rows lets the run wait; <see langword="null"/> if that is not known. Set it
    /// before the first send.</summary>
    public Func<bool>? AwaitsRows { get; set; }

    /// <summary>Gets or sets what tells whether rows can be read that are not known yet; <see langword="null"/> if that is not known. Set it
    /// before the first send.</summary>
    public Func<bool>? MayReadMore { get; set; }

    /// <summary>Gets or sets a value indicating whether earlier runs of the same job were answered. Set it before the first
    /// send.</summary>
    public bool WasAnswered
    {
        get => _suspects.WasAnswered;
        set => _suspects.WasAnswered = value;
    }

    /// <summary>Gets a value indicating whether rows may have to be refused by <see cref="Refusal"/>.</summary>
    public bool HasClosedModels => _suspects.HasClosedModels;

    /// <summary>Gets a value indicating whether sends may be held: then <see cref="TryBegin"/> decides.</summary>
    public bool IsHolding => _isHolding;

    /// <summary>Gets a value indicating whether an answer is evidence.</summary>
    public bool IsWatching => _isWatching;

    /// <summary>Gets the number of the last send that has begun.</summary>
    public long LastSend => _sends.Last;

    /// <summary>Begins a send.</summary>
    /// <returns>The number of the send.</returns>
    public long Begin() => _sends.Begin();

    /// <summary>Begins a send, unless sends are held.</summary>
    /// <param name="row">What the row is suspected of, if anything.</param>
    /// <param name="model">Its model.</param>
    /// <param name="order">The row's number in the run.</param>
    /// <param name="held">How the request was held before, if it was; afterwards, how it is held now.</param>
    /// <param name="ticket">The number of the send; 0 if it has not begun.</param>
    /// <returns>Whether it may be sent.</returns>
    public bool TryBegin(Suspicion? row, string? model, long order, ref HeldSend? held, out long ticket)
    {
        if (_isHolding)
        {
            lock (_gate)
            {
                _lastOrder = Math.Max(_lastOrder, order);
                bool isDeciding = _sends.IsAny || _round.IsUnderWay;
                if (_ended is null && held?.IsProbe != true && _suspects.MustWait(row, model, isDeciding))
                {
                    held = _held.Add(model, order, isSuspected: row is not null);
                    ticket = 0;
                    return false;
                }

                ticket = Begin();
                return true;
            }
        }

        ticket = Begin();
        return true;
    }

    /// <summary>Returns why a request to a model is not sent, if the model is closed.</summary>
    public LlmException? Refusal(string? model, out Suspicion? row)
    {
        lock (_gate)
        {
            return _suspects.Skip(model, out row);
        }
    }

    /// <summary>Notes a failed send.</summary>
    /// <param name="row">What the row was suspected of before, if anything.</param>
    /// <param name="model">The model.</param>
    /// <param name="failure">The failure.</param>
    /// <param name="ticket">The number of the send.</param>
    /// <param name="isFinal">Whether the row has failed for good.</param>
    /// <param name="hasOthers">Whether the run has other rows.</param>
    /// <returns>What the row is suspected of now.</returns>
    public Suspicion? Failed(Suspicion? row, string? model, LlmException failure, long ticket, bool isFinal, bool hasOthers = true)
    {
        lock (_gate)
        {
            if (_ended is not null || failure.SendAgainChanged)
            {
                return row;
            }

            if (_stopsIfAlike && hasOthers && !_suspects.IsAnswered)
            {
                _outageCause ??= _outage.Failed(failure);
            }

            row = _suspects.Add(row, model, failure, ticket, _stopsIfAlike, isFinal);
            if (row is { KnownFrom: 0 })
            {
                row.KnownFrom = _sends.Last;
            }

            Update();
            return row;
        }
    }

    /// <summary>Notes an answered send.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ticket">The number of the send.</param>
    /// <param name="isGood">Whether it is known that the answer can be used: that it has passed its check, if there is one.</param>
    public void Answered(string? model, long ticket, bool isGood = true)
    {
        if (_ended is not null || (!_isWatching && _suspects.IsKnownToAnswer(model)))
        {
            return;
        }

        lock (_gate)
        {
            if (_ended is null)
            {
                _outageCause = null;
                _suspects.Answer(model, ticket, isGood);
                Update();
            }
        }
    }

    /// <summary>Notes that an answer of an earlier run has passed the check of this one.</summary>
    public void Passed()
    {
        if (_ended is not null || !_isWatching || _suspects.HasPassed)
        {
            return;
        }

        lock (_gate)
        {
            if (_ended is null)
            {
                _suspects.Pass();
                Update();
            }
        }
    }

    /// <summary>Notes that the request of a send has ended or backs off. Not earlier: a stop in between would take its outcome
    /// away.</summary>
    /// <param name="ticket">The number of the send; 0 if there was none.</param>
    /// <param name="held">How the request was held, if it was.</param>
    /// <param name="hasMore">Whether rows are left that a stop would save.</param>
    /// <returns>The reason to stop the run, if that is certain now. Sends stay held until <see cref="End"/>.</returns>
    public LlmException? Returned(long ticket, HeldSend? held, bool hasMore)
    {
        // While sends are held, one that has returned and the decision that this allows are one step: nothing may be sent in between.
        bool waitsForDecision = _isHolding;
        if (ticket != 0 && !waitsForDecision)
        {
            _sends.Return(ticket);
        }

        if (!waitsForDecision && !_isHolding && held is null && _outageCause is null && (ticket != 0 || !HasClosedModels))
        {
            return null;
        }

        lock (_gate)
        {
            if (ticket != 0 && waitsForDecision)
            {
                _sends.Return(ticket);
            }

            if (held is not null)
            {
                _held.Leave(held);
            }

            LlmException? cause = _ended is not null ? null : _outageCause ?? Decide(hasMore) ?? _suspects.TooMany();
            Update();
            return cause;
        }
    }

    /// <summary>Notes that a suspected row has ended without another failure.</summary>
    public void Ended(Suspicion row)
    {
        lock (_gate)
        {
            row.IsFinal = true;
        }
    }

    /// <summary>Decides with the evidence that there is: every row that is known has its outcome.</summary>
    /// <param name="patience">Whether more rows may come, which would tell: then nothing is decided where the run would be stopped.</param>
    /// <returns>The reason to stop the run, or <see langword="null"/>: the suspected rows have failed on their own.</returns>
    public LlmException? DecideNow(Patience patience = Patience.None)
    {
        lock (_gate)
        {
            LlmException? cause = _ended is null ? _suspects.DecideNow(patience) : null;
            Update();
            return cause;
        }
    }

    /// <summary>Decides about all suspected rows, and releases held sends. Call it after the run has been stopped: earlier, they would be
    /// sent.</summary>
    public void End(FailureScope scope)
    {
        lock (_gate)
        {
            if (_ended is null)
            {
                _ended = scope;
                _round.Stop();
                _suspects.DecideAll(scope);
                Update();
            }
        }
    }

    /// <summary>Notes that a row has its outcome.</summary>
    /// <returns>Whether the row has failed on its own; <see langword="null"/> if that is decided later.</returns>
    public bool? IsOwn(Suspicion row)
    {
        lock (_gate)
        {
            row.Rows += row.IsOpen ? 1 : 0;
            return row.Scope is { } scope ? scope == FailureScope.Request : null;
        }
    }

    /// <summary>Returns how many rows were found to have failed on their own after they had their outcome, since the last call.</summary>
    public int TakeLate() => _suspects.TakeLate();

    // Nothing that was sent before is in flight: either probes are sent, or they have returned.
    private LlmException? Decide(bool hasMore)
    {
        while (_held.ProbesOut == 0 && !_round.IsReadingAhead && _suspects.Undecided is { } group && HaveReturned(group))
        {
            if (!_round.End(group))
            {
                // No row has a server of its own, but a refusal may be a gateway's that reads the row, or a model's.
                bool needsProbe = !group.IsConnections || !group.IsLikelyShared;
                if (needsProbe && (hasMore || !_held.IsEmpty))
                {
                    _round.ReadAhead();
                    break;
                }

                if (group.Domain == FailureDomain.Alike || !group.IsLikelyShared)
                {
                    // No row is left that a stop would save, or that could be a probe.
                    break;
                }
            }

            if (_suspects.Decide(group) is { } cause)
            {
                return cause;
            }
        }

        return null;
    }

    private void SendProbes()
    {
        lock (_gate)
        {
            if (_ended is not null || !_round.IsReadingAhead || _suspects.Undecided is not { } group
                || !_round.TryEndReading(_held.Count, isSlow: AwaitsRows?.Invoke() ?? true))
            {
                return;
            }

            if (_held.IsEmpty || MustReadOn(group) || (group.Domain != FailureDomain.Alike && !_held.HasUnsent && _round.TryProlong()))
            {
                // Rows that back off will be held, which lets others be read, or the run ends.
                _round.ReadAhead();
                return;
            }

            _round.Probe(group);
            if (!_held.ReleaseProbes(group.Model, Probes))
            {
                // Only rows of other models are held.
                Decide(hasMore: true);
            }

            Update();
        }
    }

    // The rows that are held may all be of one block of bad ones. A row from further on tells more, and costs no time: while the source
    // has none, nothing could be sent, and while it is decided about one model, the rows of others are.
    private bool MustReadOn(SuspectGroup group)
    {
        bool isAwaited = AwaitsRows?.Invoke() == true && _suspects.MayContinue;
        bool isIdle = !_sends.IsAny;
        bool mayRead = isAwaited
            || (group.Domain == FailureDomain.Model && (!isIdle || MayReadMore?.Invoke() == true) && !_round.IsLong(isIdle));
        return mayRead && !_held.HasUnsentAfter(_round.Mark(_lastOrder), group.Model);
    }

    private static void Queue(Action action) =>
        ThreadPool.QueueUserWorkItem(static queued => ((Action)queued!)(), action);

    // Of a model, those sends are awaited that had begun when its rows were held: others begin meanwhile.
    private bool HaveReturned(SuspectGroup group) => group == _awaited ? !_sends.IsEarlier : !_sends.IsAny;

    private void Update()
    {
        SuspectGroup? group = _suspects.Undecided;
        if (group != _awaited)
        {
            _awaited = group is { Domain: FailureDomain.Model } && _sends.TryBeginEpoch() ? group : null;
        }

        _isHolding = _ended is null && _suspects.IsHolding;
        _isWatching = _ended is null && _suspects.IsWatching;
        if (!_isHolding)
        {
            _round.End();
            _held.ReleaseAll();
        }
    }
}
