namespace FastLLM.Pipeline;

/// <summary>Represents a request that equal requests join while it is being answered.</summary>
/// <remarks>The request, not a caller, owns the attempts; its outcome goes to every caller. A request context keeps one of these and uses
/// it for one request after the other. What is shared between threads is guarded by the table's lock.</remarks>
internal sealed class InFlightRequest<TCaller>
    where TCaller : struct
{
    private int _phase = (int)InFlightPhase.Waiting;
    private InFlightRequest<TCaller>? _next;
    private volatile bool _hasStopped;

    /// <summary>Gets the key.</summary>
    public RequestKey Key { get; internal set; }

    /// <summary>Gets the identity of the check that the answer must pass, if there is one.</summary>
    public object? Check { get; private set; }

    /// <summary>Gets the callers that wait, the leader first. Empty when all have left.</summary>
    internal List<TCaller> Callers { get; } = new(1);

    /// <summary>Gets the next request in the same bucket of the table.</summary>
    internal ref InFlightRequest<TCaller>? Next => ref _next;

    /// <summary>Gets the action that ends attempts and waits once all callers have left. It must not run callbacks.</summary>
    internal required Action Cancel { get; init; }

    /// <summary>Gets or sets why the last send failed, for callers that leave before the next one.</summary>
    public LlmException? LastFailure { get; set; }

    /// <summary>Gets or sets how many sends have ended; the last caller that leaves takes them along.</summary>
    public int Attempts { get; set; }

    /// <summary>Gets or sets what failed sends stay charged with; the last caller that leaves takes it along.</summary>
    public decimal Charged { get; set; }

    /// <summary>Gets or sets how many sends have a cost that is not known; the last caller that leaves takes them along.</summary>
    public int Unpriced { get; set; }

    /// <summary>Gets a value indicating whether the request was called off: its callers have left, or their runs have stopped.</summary>
    public bool IsCalledOff => Phase == InFlightPhase.CalledOff;

    /// <summary>Gets a value indicating whether runs of callers have stopped while the request was being sent: they leave when the send has
    /// ended.</summary>
    internal bool HasStopped => _hasStopped;

    /// <summary>Gets what the request is doing.</summary>
    internal InFlightPhase Phase => (InFlightPhase)Volatile.Read(ref _phase);

    /// <summary>Marks that the request is about to be sent.</summary>
    /// <returns>Whether it may be sent; not if it was called off meanwhile.</returns>
    public bool BeginSend() => Change(InFlightPhase.Waiting, InFlightPhase.Sending);

    /// <summary>Marks the end of a send: a final one can no longer be called off, after another one the request waits for its next
    /// send.</summary>
    public void EndSend(bool isFinal) => Change(InFlightPhase.Sending, isFinal ? InFlightPhase.Final : InFlightPhase.Waiting);

    /// <summary>Marks that an answered request waits for another send.</summary>
    internal void Reopen() => Change(InFlightPhase.Final, InFlightPhase.Waiting);

    /// <summary>Notes that the run of a caller has stopped. To be followed by a look at <see cref="Phase"/>: if the request is being sent,
    /// the end of the send sees the note.</summary>
    internal void NoteStopped()
    {
        _hasStopped = true;
        Interlocked.MemoryBarrier();
    }

    internal void Prepare(RequestKey key, object? check = null)
    {
        Key = key;
        Check = check;
        LastFailure = null;
        Charged = 0;
        Attempts = 0;
        Unpriced = 0;
        Callers.Clear();
        _hasStopped = false;
        _phase = (int)InFlightPhase.Waiting;
    }

    /// <summary>Ends the request, unless it is answered: all callers have left.</summary>
    internal void CallOff()
    {
        // A send may begin or end between two looks; one of the tries succeeds.
        while (Phase is InFlightPhase.Waiting or InFlightPhase.Sending)
        {
            if (!TryCallOffWaiting() && Change(InFlightPhase.Sending, InFlightPhase.CalledOff))
            {
                Cancel();
            }
        }
    }

    /// <summary>Ends the request, unless it is being sent or answered.</summary>
    internal bool TryCallOffWaiting()
    {
        if (!Change(InFlightPhase.Waiting, InFlightPhase.CalledOff))
        {
            return false;
        }

        Cancel();
        return true;
    }

    private bool Change(InFlightPhase from, InFlightPhase to) => Interlocked.CompareExchange(ref _phase, (int)to, (int)from) == (int)from;
}

/// <summary>Specifies what an in-flight request is doing.</summary>
internal enum InFlightPhase
{
    /// <summary>It looks into the cache, waits for a lease, or backs off: nothing is being paid.</summary>
    Waiting,

    /// <summary>Being sent.</summary>
    Sending,

    /// <summary>The last send has ended; its answer is being recorded, or its failure delivered, even if all callers leave.</summary>
    Final,

    /// <summary>It ends without another send.</summary>
    CalledOff,
}
