namespace FastLLM.InFlight;

/// <summary>The one question that equal requests share, while it is being answered.</summary>
/// <remarks>
/// The flight, not a caller, owns the attempts; its end is the verdict for everybody who waits for it. A worker keeps one of these and
/// uses it for one request after the other. What is shared between threads is guarded by the table's lock.
/// </remarks>
internal sealed class Flight<TCaller>
    where TCaller : struct
{
    private int _phase = (int)FlightPhase.Waiting;
    private Flight<TCaller>? _next;

    /// <summary>What is asked.</summary>
    public RequestKey Key { get; internal set; }

    /// <summary>Who waits for the answer, the first of whom asked it. Empty when all have left.</summary>
    internal List<TCaller> Callers { get; } = new(1);

    /// <summary>The next flight in the same place of the table.</summary>
    internal ref Flight<TCaller>? Next => ref _next;

    /// <summary>Ends attempts and waits when nobody waits for the answer any more. Must not run callbacks.</summary>
    internal required Action Cancel { get; init; }

    /// <summary>Marks that the request is about to be sent.</summary>
    /// <returns>Whether it may be: not when the flight was called off meanwhile.</returns>
    public bool BeginSend() =>
        Interlocked.CompareExchange(ref _phase, (int)FlightPhase.Sending, (int)FlightPhase.Waiting) == (int)FlightPhase.Waiting;

    /// <summary>Marks that the send is over.</summary>
    public void EndSend() => Interlocked.CompareExchange(ref _phase, (int)FlightPhase.Waiting, (int)FlightPhase.Sending);

    /// <summary>Whether the flight was called off: its callers have left, or their runs send nothing more.</summary>
    public bool IsCalledOff => Volatile.Read(ref _phase) == (int)FlightPhase.CalledOff;

    internal void Prepare(RequestKey key)
    {
        Key = key;
        Callers.Clear();
        _phase = (int)FlightPhase.Waiting;
    }

    /// <summary>Nobody waits any more: whatever it is doing, it ends.</summary>
    internal void CallOff()
    {
        Interlocked.Exchange(ref _phase, (int)FlightPhase.CalledOff);
        Cancel();
    }

    /// <summary>Nothing more is sent; what is being sent is waited for.</summary>
    internal void CallOffIfWaiting()
    {
        if (Interlocked.CompareExchange(ref _phase, (int)FlightPhase.CalledOff, (int)FlightPhase.Waiting) == (int)FlightPhase.Waiting)
        {
            Cancel();
        }
    }

    private enum FlightPhase
    {
        Waiting,
        Sending,
        CalledOff,
    }
}
