namespace FastLLM;

/// <summary>Base class for the claims of an <see cref="IClaimingCache"/>: the right to send a request. The cache renews a claim until it is
/// released or its entry is put.</summary>
public abstract class CacheClaim
{
    /// <summary>Gets a value indicating whether the claim may have expired, for example because the process was suspended. Look the key up
    /// again before the next send.</summary>
    public abstract bool IsLost { get; }

    /// <summary>Releases the claim, so that another machine can send the request. Does nothing if the entry was put, or if the claim was
    /// released before.</summary>
    public abstract void Release();
}
