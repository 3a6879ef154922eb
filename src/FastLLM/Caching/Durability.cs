namespace FastLLM;

/// <summary>What an answer survives once a <see cref="DiskCache"/> has acknowledged it.</summary>
public enum Durability
{
    /// <summary>The machine losing power: each commit is flushed to the disk (<c>synchronous=FULL</c>).</summary>
    PowerLoss,

    /// <summary>The process being killed. The last answers before a power loss may be asked, and paid for, again (<c>synchronous=NORMAL</c>); the file stays sound.</summary>
    ProcessKill,
}
