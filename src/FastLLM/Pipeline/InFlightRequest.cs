namespace FastLLM.Pipeline;

/// <summary>The one question that equal requests share, while it is being answered.</summary>
/// <remarks>The request, not a caller, owns the attempts; its end is the verdict for everybody who waits for it. A worker keeps one of
/// these and uses it for one request after the other. What is shared between threads is guarded by the table's lock.</remarks>
internal sealed class InFlightRequest<TCaller>
    where TCaller : struct
{
    private int _phase = (int)InFlightPhase.Waiting;
    private InFlightRequest<TCaller>? _next;

    /// <summary>What is asked.</summary>
    public RequestKey Key { get; internal set; }

    /// <summary>Who waits for the answer, the first of whom asked it. Empty when all have left.</summary>
    internal List<TCaller> Callers { get; } = new(1);

    /// <summary>The next request in the same place of the table.</summary>
    internal ref InFlightRequest<TCaller>? Next => ref _next;

    /// <summary>Ends attempts and waits when nobody waits for the answer any more. Must not run callbacks.</summary>
    internal required Action Cancel { get; init; }

    /// <summary>Why the last send failed; what callers get who do not wait for the next one.</summary>
    public LlmException? LastFailure { get; set; }

    /// <summary>What failed sends stay charged with; it goes with the last who leaves.</summary>
    public decimal Charged { get; set; }

    /// <summary>Whether the request was called off: its callers have left, or their runs send nothing more.</summary>
    public bool IsCalledOff => Phase == InFlightPhase.CalledOff;

    /// <summary>What the request is doing.</summary>
    internal InFlightPhase Phase => (InFlightPhase)Volatile.Read(ref _phase);

    /// <summary>Marks that the request is about to be sent.</summary>
    /// <returns>Whether it may be: not when the request was called off meanwhile.</returns>
    public bool BeginSend() => Change(InFlightPhase.Waiting, InFlightPhase.Sending);

    /// <summary>Marks the end of a send: a final one can no longer be called off, after another one the request waits for its next send.</summary>
    public void EndSend(bool isFinal) => Change(InFlightPhase.Sending, isFinal ? InFlightPhase.Final : InFlightPhase.Waiting);

    internal void Prepare(RequestKey key)
    {
        Key = key;
        LastFailure = null;
        Charged = 0;
        Callers.Clear();
        _phase = (int)InFlightPhase.Waiting;
    }

    /// <summary>Nobody waits any more: whatever it is doing, it ends, unless the answer is there.</summary>
    internal void CallOff()
    {
        // Between two looks a send may begin or end; the phases go round, so one of the tries meets it.
        while (Phase is InFlightPhase.Waiting or InFlightPhase.Sending)
        {
            if (!TryCallOffWaiting() && Change(InFlightPhase.Sending, InFlightPhase.CalledOff))
            {
                Cancel();
            }
        }
    }

    /// <summary>Nothing more is sent, unless it is being sent or has been answered.</summary>
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

/// <summary>What a request is doing.</summary>
internal enum InFlightPhase
{
    /// <summary>Looking into the cache, waiting for a lease, or backing off: nothing is being paid.</summary>
    Waiting,

    /// <summary>Being sent.</summary>
    Sending,

    /// <summary>The last send has ended; its answer is being recorded, or its failure handed out, whoever leaves.</summary>
    Final,

    /// <summary>Nobody waits for it, or nobody may send it: it ends without another send.</summary>
    CalledOff,
}
