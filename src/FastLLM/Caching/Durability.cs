namespace FastLLM;

/// <summary>Specifies what an entry survives that a <see cref="DiskCache"/> has stored.</summary>
public enum Durability
{
    /// <summary>A power loss: each commit is flushed to the disk (<c>synchronous=FULL</c>).</summary>
    PowerLoss,

    /// <summary>The end of the process. The last entries before a power loss may be lost (<c>synchronous=NORMAL</c>); the file stays
    /// intact.</summary>
    ProcessKill,
}
