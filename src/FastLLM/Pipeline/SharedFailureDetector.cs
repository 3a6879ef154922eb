using System.Globalization;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Detects by evidence whether failures are the rows' own, a model's, or shared by all.</summary>
/// <remarks>
/// <para>A row that fails for a reason that others may share is suspected. It has failed on its own if a send that began later is answered,
/// for a reason of a model: by that model. If <see cref="Enough"/> rows are suspected of the same, sends are held until what is in flight
/// has returned. If none of it was answered, the run stops and its rows stay pending; a model's rows are not sent any more, and the others
/// continue.</para>
/// <para>While no row is suspected, a send costs two increments and a few reads. Safe for concurrent use.</para>
/// </remarks>
/// <param name="stopsIfAlike">Whether failures stop the run that are neither the account's nor a model's.</param>
/// <param name="time">The clock.</param>
internal sealed class SharedFailureDetector(bool stopsIfAlike, TimeProvider time)
{
    /// <summary>How many rows that fail for the same reason are no coincidence.</summary>
    public const int Enough = 10;

    /// <summary>The same for a key that is refused before anything was answered: no row has a key of its own.</summary>
    public const int EnoughRefusedKeys = 3;

    /// <summary>How many rows of closed models wait at most for an answer of another model: they are kept in memory.</summary>
    public const int MaxSkipped = 10_000;

    // Many fields because what a send reads without the lock is kept apart from what the lock guards.
    // Long because everything that is decided is decided under one lock.
    private readonly Lock _gate = new();
    private readonly Suspects _suspects = new();
    private readonly OutageWatch _outage = new(time);
    private TaskCompletionSource? _held;
    private LlmException? _outageCause;
    private FailureScope? _ended;
    private long _begun;
    private long _returned;
    private volatile bool _isHolding;
    private volatile bool _isWatching = true;

    /// <summary>Gets a value indicating whether rows may have to be refused by <see cref="Refusal"/>.</summary>
    public bool HasClosedModels => _suspects.HasClosedModels;

    private bool IsSending => Volatile.Read(ref _begun) != Volatile.Read(ref _returned);

    /// <summary>Begins a send, unless sends are held.</summary>
    /// <param name="row">What the row is suspected of, if anything.</param>
    /// <param name="ticket">The number of the send.</param>
    /// <param name="decision">What to await if the request may not be sent now; then nothing has begun.</param>
    /// <returns>Whether it may be sent.</returns>
    public bool TryBegin(Suspicion? row, out long ticket, out Task decision)
    {
        decision = Task.CompletedTask;
        if (_isHolding)
        {
            lock (_gate)
            {
                if (_ended is null && _suspects.MustWait(row, IsSending))
                {
                    _held ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    (ticket, decision) = (0, _held.Task);
                    return false;
                }
            }
        }

        ticket = Interlocked.Increment(ref _begun);
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
    /// <returns>What the row is suspected of now.</returns>
    public Suspicion? Failed(Suspicion? row, string? model, LlmException failure, long ticket, bool isFinal)
    {
        lock (_gate)
        {
            if (_ended is not null || failure.SendAgainChanged)
            {
                return row;
            }

            if (stopsIfAlike && !_suspects.IsAnswered)
            {
                _outageCause ??= _outage.Failed(failure);
            }

            row = _suspects.Add(row, model, failure, ticket, stopsIfAlike, isFinal);
            Update();
            return row;
        }
    }

    /// <summary>Notes an answered send.</summary>
    public void Answered(string? model, long ticket)
    {
        if (!_isWatching && _suspects.IsKnownToAnswer(model))
        {
            return;
        }

        lock (_gate)
        {
            if (_ended is null)
            {
                _outageCause = null;
                _suspects.Answer(model, ticket);
                Update();
            }
        }
    }

    /// <summary>Notes that the request of a send has ended or backs off. Not earlier: a stop in between would take its outcome
    /// away.</summary>
    /// <param name="hasMore">Whether rows are left that a stop would save.</param>
    /// <returns>The reason to stop the run, if that is certain now. Sends stay held until <see cref="End"/>.</returns>
    public LlmException? Returned(bool hasMore)
    {
        Interlocked.Increment(ref _returned);
        if (!_isHolding && _outageCause is null)
        {
            return null;
        }

        lock (_gate)
        {
            if (_ended is not null)
            {
                return null;
            }

            LlmException? cause = _outageCause;
            if (cause is null && !IsSending)
            {
                cause = _suspects.Decide(hasMore || _held is not null);
            }

            Update();
            return cause;
        }
    }

    /// <summary>Notes that a request was not sent, since its model is closed.</summary>
    /// <returns>The reason to stop the run, if too many wait for an answer of another model; or <see langword="null"/>.</returns>
    public LlmException? Skipped()
    {
        lock (_gate)
        {
            LlmException? cause = _ended is null ? _suspects.TooManySkipped() : null;
            Update();
            return cause;
        }
    }

    /// <summary>Decides with the evidence that there is: every row that is known has its outcome.</summary>
    /// <returns>The reason to stop the run, or <see langword="null"/>: the suspected rows have failed on their own.</returns>
    public LlmException? DecideNow()
    {
        lock (_gate)
        {
            LlmException? cause = _ended is null ? _suspects.DecideNow() : null;
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

    private void Update()
    {
        _isHolding = _ended is null && _suspects.IsHolding;
        _isWatching = _ended is null && _suspects.IsWatching;
        if (!_isHolding && _held is { } held)
        {
            _held = null;
            held.SetResult();
        }
    }
}
