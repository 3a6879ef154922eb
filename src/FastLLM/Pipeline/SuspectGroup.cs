using System.Runtime.CompilerServices;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Holds the rows that are suspected of failing for the same reason, in the order of their failures.</summary>
/// <param name="domain">Who may share the reason.</param>
/// <param name="late">Counts the rows that were found to have failed on their own after they had their outcome.</param>
/// <param name="model">The model, if the reason may be the model's.</param>
/// <remarks>Not safe for concurrent use: the lock of the <see cref="SharedFailureDetector"/> guards it.</remarks>
internal sealed class SuspectGroup(FailureDomain domain, StrongBox<int> late, string? model = null)
{
    private const int MaxEnough = 100;
    private const int MaxEnoughUnreadable = 1000;

    private readonly List<Suspicion> _open = [];
    private string? _shape;
    private long _firstTicket;
    private int _own;

    /// <summary>Gets who may share the reason.</summary>
    public FailureDomain Domain { get; } = domain;

    /// <summary>Gets the model, if the reason may be the model's.</summary>
    public string? Model { get; } = model;

    /// <summary>Gets how many rows have failed whose sends began after the last one that was answered, if any was.</summary>
    public int Failures { get; private set; }

    /// <summary>Gets the first of those failures.</summary>
    public LlmException? First { get; private set; }

    /// <summary>Gets a value indicating whether they are of different kinds.</summary>
    public bool AreMixed { get; private set; }

    /// <summary>Gets how many of them, in a row and up to the last, are the same.</summary>
    public int Same { get; private set; }

    /// <summary>Gets how many rows must fail in a row until it is asked whether they share the reason: more, where several turned out at once
    /// to have failed on their own.</summary>
    public int Enough => Math.Clamp(_own * SharedFailureDetector.Enough, SharedFailureDetector.Enough, MaxEnough);

    /// <summary>Gets the same for responses that cannot be read, after others were answered.</summary>
    public int EnoughUnreadable =>
        Math.Clamp(_own * SharedFailureDetector.Enough, SharedFailureDetector.EnoughUnreadable, MaxEnoughUnreadable);

    /// <summary>Gets a value indicating whether the failures are probably shared, where no probe can tell: they are many times those
    /// that turned out at once to be the rows' own.</summary>
    public bool IsLikelyShared => Failures >= _own * SharedFailureDetector.Enough;

    /// <summary>Gets a value indicating whether no request reaches the provider.</summary>
    public bool IsConnections => First?.Kind is FailureKind.Certificate or FailureKind.NameNotResolved;

    /// <summary>Gets a value indicating whether it is undecided of any row whose failure it is.</summary>
    public bool HasOpen => _open.Count > 0;

    /// <summary>Gets a value indicating whether an answer would be evidence.</summary>
    public bool NeedsAnswer => HasOpen || (Failures > 0 && Skipped is null);

    /// <summary>Gets a value indicating whether the first rows have failed for good: the decision waits for those.</summary>
    public bool AreFirstFinal => Earliest().All(static row => row.IsFinal);

    /// <summary>Gets what rows are suspected of that are not sent, since the model is closed; <see langword="null"/> if it is
    /// open.</summary>
    public Suspicion? Skipped { get; private set; }

    /// <summary>Returns whether the row is suspected of this reason.</summary>
    public bool Suspects(Suspicion row) => row.Domain == Domain && row.Model == Model;

    /// <summary>Returns whether the row is one of the first.</summary>
    public bool IsAmongFirst(Suspicion? row) => row is not null && Earliest().Contains(row);

    /// <summary>Adds a row.</summary>
    public Suspicion Add(LlmException failure, long ticket)
    {
        if (Failures++ == 0)
        {
            (First, _firstTicket, AreMixed) = (failure, ticket, false);
        }

        AreMixed |= failure.Kind != First!.Kind;

        var row = new Suspicion(Domain, Model, ticket) { IsRejection = failure.Kind == FailureKind.InvalidAnswer };
        _open.Add(row);
        if (Skipped is { IsOpen: false })
        {
            Decide(FailureScope.Request);
        }

        return row;
    }

    /// <summary>Notes what a row has failed for: the same as those before, or something else.</summary>
    /// <param name="shape">The text by which failures are taken for the same; <see langword="null"/> if no other row fails for it.</param>
    /// <param name="isNew">Whether the row was not suspected before.</param>
    public void Compare(string? shape, bool isNew)
    {
        if (shape != _shape)
        {
            (_shape, Same) = (shape, 0);
        }

        Same += isNew && shape is not null ? 1 : 0;
    }

    /// <summary>Notes that no more rows are sent.</summary>
    public void Close()
    {
        Skipped = new Suspicion(Domain, Model, long.MaxValue) { KnownFrom = _open.LastOrDefault()?.KnownFrom ?? 0 };
        _open.Add(Skipped);
    }

    /// <summary>Notes an answer of those who were suspected: the failures of sends that began before are no longer in a row, and rows whose
    /// failures were known before it was sent have failed on their own.</summary>
    public void Contradict(long ticket)
    {
        if (IsLater(ticket))
        {
            Skipped = null;
            List<Suspicion> inARow = _open.FindAll(row => row.Ticket > ticket && row.Ticket != long.MaxValue);
            Failures = inARow.Count;
            _firstTicket = inARow.FirstOrDefault()?.Ticket ?? 0;
        }

        _own = Math.Max(_own, DecideKnown(ticket));
    }

    /// <summary>Decides that rows have failed on their own whose failures were known before a send that is answered. What was under way may
    /// have been answered before the reason began.</summary>
    /// <returns>How many rows.</returns>
    public int DecideKnown(long ticket)
    {
        int open = _open.Count;
        DecideWhere(row => row.KnownFrom < ticket, FailureScope.Request);
        return open - _open.Count;
    }

    /// <summary>Decides about all rows. Whether the reason is shared stays open.</summary>
    public void Decide(FailureScope scope) => DecideWhere(static _ => true, scope);

    /// <summary>Decides that a row has failed on its own: another send of it failed for another reason.</summary>
    public void Remove(Suspicion row)
    {
        DecideWhere(other => ReferenceEquals(other, row), FailureScope.Request);
        Failures = Math.Max(0, Failures - 1);
    }

    /// <summary>Decides that the rows whose answers were rejected have failed on their own.</summary>
    public void RemoveRejected()
    {
        int rejected = _open.Count(static row => row.IsRejection);
        DecideWhere(static row => row.IsRejection, FailureScope.Request);
        Failures -= Math.Min(Failures, rejected);
        if (rejected > 0)
        {
            Compare(null, isNew: false);
        }
    }

    /// <summary>Decides that all rows have failed on their own, and starts over.</summary>
    public void Clear()
    {
        Decide(FailureScope.Request);
        Failures = 0;
        Compare(null, isNew: false);
    }

    // Whether a send began later than the first of those that failed.
    private bool IsLater(long ticket) => Failures > 0 && ticket > _firstTicket;

    private IEnumerable<Suspicion> Earliest() => _open.Take(SharedFailureDetector.Enough);

    private void DecideWhere(Predicate<Suspicion> isConcerned, FailureScope scope)
    {
        foreach (Suspicion row in _open.Where(row => isConcerned(row)))
        {
            row.Decide(scope);
            Interlocked.Add(ref late.Value, scope == FailureScope.Request ? row.Rows : 0);
        }

        _open.RemoveAll(static row => !row.IsOpen);
    }
}
