using System.Globalization;
using System.Runtime.CompilerServices;
using FastLLM.Retries;

namespace FastLLM.Pipeline;

/// <summary>Keeps the evidence for whose failures they are, and decides by it: of the account, of models, and of rows that fail alike
/// before anything was answered.</summary>
/// <remarks>The lock of the <see cref="SharedFailureDetector"/> guards it, but for what says otherwise.</remarks>
internal sealed class Suspects
{
    // Long because all evidence is kept in one place.

    // A file may name any number of models.
    private const int MaxModels = 1000;

    // Many fields because what a send reads without the lock is kept apart from what the lock guards.
    private readonly StrongBox<int> _late = new();
    private readonly bool _bearsAll;
    private readonly SuspectGroup _account;
    private readonly SuspectGroup _alike;
    private readonly Dictionary<string, SuspectGroup> _models = new(StringComparer.Ordinal);
    private volatile string? _answered;
    private volatile string? _otherAnswered;
    private volatile bool _hasClosedModels;
    private volatile bool _hasGoodAnswer;
    private volatile bool _hasPassed;
    private int _skipped;
    private bool _isDecided;

    /// <param name="bearsAll">Whether the run continues whatever fails, once anything was answered.</param>
    public Suspects(bool bearsAll)
    {
        _bearsAll = bearsAll;
        _account = new SuspectGroup(FailureDomain.Account, _late);
        _alike = new SuspectGroup(FailureDomain.Alike, _late);
    }

    /// <summary>Gets a value indicating whether anything was answered. Without the lock.</summary>
    public bool IsAnswered => _answered is not null;

    /// <summary>Gets or sets a value indicating whether earlier runs of the same job were answered.</summary>
    public bool WasAnswered { get; set; }

    /// <summary>Gets a value indicating whether requests like these were answered, in this run or an earlier one.</summary>
    public bool MayContinue => WasAnswered || IsAnswered;

    /// <summary>Gets a value indicating whether an answer of an earlier run has passed the check. Without the lock.</summary>
    public bool HasPassed => _hasPassed;

    /// <summary>Gets a value indicating whether any model is closed. Without the lock.</summary>
    public bool HasClosedModels => _hasClosedModels;

    /// <summary>Gets a value indicating whether sends may have to be held.</summary>
    public bool IsHolding => _isDecided || IsEnough(_account) || IsEnough(_alike) || _models.Values.Any(IsEnough);

    /// <summary>Gets a value indicating whether an answer is evidence.</summary>
    public bool IsWatching => !_hasGoodAnswer || _account.NeedsAnswer || _alike.NeedsAnswer
        || _models.Values.Any(static group => group.NeedsAnswer);

    /// <summary>Returns whether an answer of the model is nothing new, if nothing is suspected. Without the lock.</summary>
    public bool IsKnownToAnswer(string? model) => _otherAnswered is not null || _answered == (model ?? "");

    /// <summary>Returns whether a send must wait for a decision.</summary>
    /// <param name="row">What the row is suspected of, if anything.</param>
    /// <param name="model">Its model: the rows of other models continue while it is decided about one.</param>
    /// <param name="isDeciding">Whether something is under way that will bring the decision about.</param>
    public bool MustWait(Suspicion? row, string? model, bool isDeciding) =>
        _isDecided
        || (isDeciding && (IsEnough(_account) || (_models.TryGetValue(model ?? "", out SuspectGroup? group) && IsEnough(group))))
        || (IsEnough(_alike) && !_alike.IsAmongFirst(row) && (isDeciding || !_alike.AreFirstFinal));

    /// <summary>Notes a failed send, and returns what the row is suspected of now.</summary>
    public Suspicion? Add(Suspicion? row, string? model, LlmException failure, long ticket, bool watchesAlike, bool isFinal)
    {
        FailureDomain domain = FailureDomains.Of(failure);
        SuspectGroup? group = domain switch
        {
            FailureDomain.Account => _account,
            FailureDomain.Model => OfModel(model ?? ""),
            _ when watchesAlike && MayBeAlike(failure, domain, isFinal) => _alike,
            _ => null,
        };
        if (domain != FailureDomain.Passing && group != _alike && _hasGoodAnswer)
        {
            // The server answers with other things than pages in HTML.
            _alike.Clear();
        }

        bool isOther = row is not null && group?.Suspects(row) != true;
        if (isOther && row is { IsOpen: true } && (domain != FailureDomain.Passing || isFinal))
        {
            GroupOf(row).Remove(row);
        }

        bool isNew = group is not null && (row is null || (isOther && !row.IsOpen));
        if (domain != FailureDomain.Passing)
        {
            _alike.Compare(domain == FailureDomain.Alike ? FailureDomains.ShapeOf(failure) : null, isNew);
        }

        if (isNew)
        {
            row = group!.Add(failure, ticket);
        }

        if (row is { IsOpen: true })
        {
            row.IsFinal |= isFinal;
        }

        return row;
    }

    /// <summary>Notes an answer.</summary>
    /// <param name="model">The model.</param>
    /// <param name="ticket">The number of the send.</param>
    /// <param name="isGood">Whether it has passed its check.</param>
    public void Answer(string? model, long ticket, bool isGood)
    {
        model ??= "";
        _answered ??= model;
        _otherAnswered ??= model == _answered ? null : model;
        if (isGood && _hasGoodAnswer)
        {
            // One that was under way before says nothing of what came since.
            _alike.Contradict(ticket);
        }
        else if (isGood)
        {
            _hasGoodAnswer = true;
            _alike.Clear();
        }

        _account.Contradict(ticket);
        foreach (SuspectGroup group in _models.Values)
        {
            if (group.Model == model)
            {
                group.Contradict(ticket);
            }
            else
            {
                group.DecideKnown(ticket);
            }
        }

        _hasClosedModels = _models.Values.Any(static group => group.Skipped is not null);
    }

    /// <summary>Notes that an answer of an earlier run has passed the check: those that have not are rejected on their own.</summary>
    public void Pass()
    {
        _hasPassed = true;
        _alike.RemoveRejected();
    }

    /// <summary>Returns why a request is not sent, if its model is closed.</summary>
    public LlmException? Skip(string? model, out Suspicion? row)
    {
        row = null;
        if (!_models.TryGetValue(model ?? "", out SuspectGroup? group) || group.Skipped is not { } skipped)
        {
            return null;
        }

        row = skipped;
        _skipped += row.IsOpen ? 1 : 0;
        LlmException first = group.First!;
        return first.AsCause(string.Create(CultureInfo.InvariantCulture,
                $"Not sent: all {group.Failures} rows of the model \"{model}\" that were sent failed. {first.Message}"))
            .WithScope(FailureScope.Request);
    }

    /// <summary>Gets a group of which enough rows are suspected for a decision.</summary>
    public SuspectGroup? Undecided => _isDecided ? null : IsEnough(_account) ? _account
        : IsEnough(_alike) && _alike.AreFirstFinal ? _alike
        : _models.Values.FirstOrDefault(IsEnough);

    /// <summary>Decides that the failures of a group are shared.</summary>
    /// <returns>The reason to stop the run; <see langword="null"/> if the group is a model's, which is closed.</returns>
    public LlmException? Decide(SuspectGroup group)
    {
        if (group.Domain != FailureDomain.Model)
        {
            return Cause(group);
        }

        group.Close();
        _hasClosedModels = true;
        if (IsModelsOwn(group))
        {
            group.Decide(FailureScope.Request);
        }

        return null;
    }

    /// <summary>Returns the reason to stop a run in which too many rows wait for a decision: for an answer of another model, or for one
    /// that passes the check where those of earlier runs do not.</summary>
    public LlmException? TooMany() => _alike.Failures > SharedFailureDetector.MaxSkipped && AreAllRejected ? Cause(_alike) :
        _skipped > SharedFailureDetector.MaxSkipped && _models.Values.FirstOrDefault(static group => group.HasOpen) is { } group
            ? Cause(group) : null;

    /// <summary>Decides with the evidence that there is.</summary>
    /// <param name="patience">When to decide nothing rather than to stop.</param>
    /// <returns>The reason to stop the run, or <see langword="null"/>.</returns>
    public LlmException? DecideNow(Patience patience)
    {
        SuspectGroup? shared = AreBorne ? null : _models.Values.Prepend(_account).FirstOrDefault(group => group.HasOpen && !IsModelsOwn(group)
            && (!IsAnswered || group.Skipped is not null || (group.Failures >= SharedFailureDetector.Enough && group.IsLikelyShared)));
        if (shared is not null)
        {
            bool waits = patience != Patience.None && (MayContinue || (patience == Patience.IfFewFailed && !IsEnough(shared)));
            return waits ? null : Cause(shared);
        }

        if (AreAllRejected)
        {
            return Cause(_alike);
        }

        DecideAll(FailureScope.Request);
        return null;
    }

    /// <summary>Decides about all rows.</summary>
    public void DecideAll(FailureScope scope)
    {
        foreach (SuspectGroup group in _models.Values.Prepend(_account).Prepend(_alike))
        {
            group.Decide(scope);
        }
    }

    /// <summary>Returns how many rows were found to have failed on their own after they had their outcome, since the last call. Without
    /// the lock.</summary>
    public int TakeLate() => Volatile.Read(ref _late.Value) == 0 ? 0 : Interlocked.Exchange(ref _late.Value, 0);

    private bool AreBorne => _bearsAll && MayContinue;

    // As many as would be with probes: so it does not matter which answers were there before, and which were in flight at once.
    private bool AreAllRejected => !_hasGoodAnswer && _alike is { AreMixed: false, First.Kind: FailureKind.InvalidAnswer }
        && _alike.Same >= SharedFailureDetector.Enough + SharedFailureDetector.Probes && _alike.Same == _alike.Failures;

    // No row has a key, a server or a name of its own: without any answer, fewer failures are enough.
    private bool IsEnough(SuspectGroup group) => group == _alike ? AreEnoughAlike : group.Skipped is null && !AreBorne
        && group.Failures >= (
        !IsAnswered && group.First?.Kind is FailureKind.Authentication or FailureKind.Certificate or FailureKind.NameNotResolved
            ? SharedFailureDetector.EnoughOfKey : group.Enough);

    private bool AreEnoughAlike => _hasGoodAnswer ? _alike.Failures >= _alike.EnoughUnreadable
        : _alike.Same >= SharedFailureDetector.Enough || _alike.Failures >= SharedFailureDetector.EnoughOfAny;

    // Before any row has a good answer, all failures may have one reason, whatever they look like.
    private bool MayBeAlike(LlmException failure, FailureDomain domain, bool isFinal) => _hasGoodAnswer ? IsServers(failure)
        : failure.Kind == FailureKind.InvalidAnswer ? !_hasPassed
        : domain == FailureDomain.Alike || (isFinal && failure.Kind is not (FailureKind.NotSent or FailureKind.Canceled));

    // No row makes a server answer with a page in HTML: after answers too, such responses end a run.
    private static bool IsServers(LlmException failure) => failure.Kind is FailureKind.InvalidResponse or FailureKind.IncompleteResponse;

    // The key and the endpoint are good if another model is answered, and nothing of that one has failed since: models and permissions may
    // also be refused to all at once. Limits are renewed: what they refuse is better sent later.
    private bool IsModelsOwn(SuspectGroup group)
    {
        return group.First?.Kind is FailureKind.ModelNotFound or FailureKind.PermissionDenied
            && (IsEvidence(_answered) || IsEvidence(_otherAnswered));

        bool IsEvidence(string? model) => model is not null && model != group.Model
            && (!_models.TryGetValue(model, out SuspectGroup? other) || other.Failures == 0);
    }

    private SuspectGroup GroupOf(Suspicion row) => row.Domain switch
    {
        FailureDomain.Account => _account,
        FailureDomain.Model => OfModel(row.Model!),
        _ => _alike,
    };

    private SuspectGroup OfModel(string model)
    {
        if (!_models.TryGetValue(model, out SuspectGroup? group))
        {
            if (_models.Count >= MaxModels)
            {
                foreach (SuspectGroup idle in _models.Values.Where(static idle => !idle.HasOpen && idle.Skipped is null).ToList())
                {
                    _models.Remove(idle.Model!);
                }
            }

            _models.Add(model, group = new SuspectGroup(FailureDomain.Model, _late, model));
        }

        return group;
    }

    private LlmException Cause(SuspectGroup group)
    {
        _isDecided = true;
        LlmException first = group.First!;
        if (group.Failures == 1)
        {
            return first.AsCause(first.Message);
        }

        return first.AsCause($"{What(group)} {first.Message}");
    }

    private string What(SuspectGroup group)
    {
        string model = OfModelText(group);
        bool isFirst = group == _alike && !_hasGoodAnswer;
        FormattableString what = (isFirst, IsAnswered) switch
        {
            (true, _) when group.Same < SharedFailureDetector.Enough =>
                $"The first {group.Failures} requests have all failed, and none has an answer that can be used. The first failure:",
            (true, _) when IsAnswered || group.First!.Kind == FailureKind.InvalidAnswer => $"The answers to the first {group.Failures} requests were all rejected in the same way.",
            (_, true) when group.AreMixed =>
                $"The last {group.Failures} rows{model} have failed, and none has been answered since. The first failure:",
            (_, true) => $"The last {group.Failures} rows{model} have failed for the same reason, and none has been answered since.",
            _ when group.AreMixed =>
                $"The first {group.Failures} requests{model} have all failed, and none was answered. The first failure:",
            _ => $"The first {group.Failures} requests{model} were all refused in the same way, and none was answered.",
        };
        return FormattableString.Invariant(what);
    }

    private static string OfModelText(SuspectGroup group) => group.Model is { Length: > 0 } model ? $" of the model \"{model}\"" : "";
}
