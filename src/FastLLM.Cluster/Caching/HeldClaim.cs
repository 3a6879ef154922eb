namespace FastLLM.Cluster.Caching;

/// <summary>Represents a claim that this cache holds.</summary>
internal sealed class HeldClaim(HeldClaims claims, AnswerKey key, long token, long since) : CacheClaim
{
    private long _validSince = since;
    private volatile bool _wasLost;
    private volatile bool _isTaken;

    public AnswerKey Key => key;

    public long Token => token;

    /// <summary>Gets a timestamp before the claim was made or renewed last.</summary>
    public long ValidSince => Volatile.Read(ref _validSince);

    /// <summary>Gets a value indicating whether another machine has the claim.</summary>
    public bool IsTaken => _isTaken;

    /// <inheritdoc/>
    public override bool IsLost => _wasLost || claims.IsExpired(ValidSince);

    /// <inheritdoc/>
    public override void Release() => claims.Release(this);

    /// <summary>Notes that the claim was renewed. Once it has expired, it stays lost: another machine may have put its answer
    /// meanwhile.</summary>
    public void Renew(long since)
    {
        _wasLost = IsLost;
        Volatile.Write(ref _validSince, since);
    }

    /// <summary>Notes that another machine has the claim.</summary>
    public void Lose() => _isTaken = _wasLost = true;
}
