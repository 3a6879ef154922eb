namespace FastLLM.Retries;

/// <summary>Represents the question whether the failure of a row is its own, or shared by others, until evidence answers it.</summary>
/// <param name="domain">Who may share it.</param>
/// <param name="model">The model, if its rows may share it.</param>
/// <param name="ticket">The number of the send that failed: sends that began later have higher ones.</param>
/// <remarks>Safe to read at any time; changed under the lock of the run's detector of shared failures.</remarks>
internal sealed class Suspicion(FailureDomain domain, string? model, long ticket)
{
    private const int Open = -1;

    private volatile int _scope = Open;

    /// <summary>Gets who may share the failure.</summary>
    public FailureDomain Domain { get; } = domain;

    /// <summary>Gets the model, if its rows may share the failure.</summary>
    public string? Model { get; } = model;

    /// <summary>Gets the number of the send that failed.</summary>
    public long Ticket { get; } = ticket;

    /// <summary>Gets a value indicating whether an answer was rejected by its check.</summary>
    public bool IsRejection { get; init; }

    /// <summary>Gets or sets the number of the last send that had begun when the failure was known: answers to earlier ones were under
    /// way.</summary>
    public long KnownFrom { get; set; }

    /// <summary>Gets or sets a value indicating whether the row has failed for good.</summary>
    public bool IsFinal { get; set; }

    /// <summary>Gets or sets how many rows had their outcome while it was undecided whose failure it is.</summary>
    public int Rows { get; set; }

    /// <summary>Gets whom the failure affects; <see langword="null"/> while that is undecided.</summary>
    public FailureScope? Scope => _scope is var scope && scope == Open ? null : (FailureScope)scope;

    /// <summary>Gets a value indicating whether it is undecided whose failure it is.</summary>
    public bool IsOpen => _scope == Open;

    /// <summary>Decides whom the failure affects.</summary>
    public void Decide(FailureScope scope) => _scope = (int)scope;
}
