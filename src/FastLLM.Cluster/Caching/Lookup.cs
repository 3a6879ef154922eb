namespace FastLLM.Cluster.Caching;

/// <summary>Represents a look-up, or the release of a claim, that is executed in a group.</summary>
internal sealed class Lookup(AnswerKey key, LookupKind kind)
    : TaskCompletionSource<LookupResult>(TaskCreationOptions.RunContinuationsAsynchronously), ILaneItem
{
    public AnswerKey Key => key;

    public LookupKind Kind => kind;

    public byte[] RequestBytes { get; } = key.RequestBytes();

    /// <summary>Gets the version of the row that counts as missing; 0 for none.</summary>
    public long Replaced { get; init; }

    /// <summary>Gets the number of the claim that is made or released. It differs from that of every other look-up of any
    /// machine.</summary>
    public long Token { get; init; }

    /// <summary>Gets a value indicating whether another machine had the claim. Just after an outage, it is about to renew it.</summary>
    public bool IsRepeated { get; init; }

    /// <inheritdoc/>
    public long Bytes => 0;

    /// <inheritdoc/>
    public bool IsAlone => false;

    /// <inheritdoc/>
    public void Fail(Exception fault) => TrySetException(fault);
}

/// <summary>Specifies what a look-up does.</summary>
internal enum LookupKind
{
    /// <summary>Reads the row.</summary>
    Get,

    /// <summary>Reads the row, or claims the key.</summary>
    Claim,

    /// <summary>Releases a claim.</summary>
    Release,
}

/// <summary>Represents what a look-up has found.</summary>
/// <param name="Row">The row, if there is one.</param>
/// <param name="ClaimedSince">If the key was claimed, a timestamp before that.</param>
internal readonly record struct LookupResult(AnswerRow? Row, long? ClaimedSince);
