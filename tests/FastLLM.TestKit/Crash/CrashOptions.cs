namespace FastLLM.TestKit.Crash;

/// <summary>How much is proved, and with what.</summary>
public sealed record CrashOptions
{
    /// <summary>Gets how many kills come at random moments.</summary>
    public int Kills { get; init; } = 20;

    /// <summary>Gets how many come at each named place.</summary>
    public int PerPoint { get; init; }

    /// <summary>Gets the named places; the default is all that there are in this mode.</summary>
    public IReadOnlyList<string>? Points { get; init; }

    /// <summary>Gets how many rows a job has.</summary>
    public int Rows { get; init; } = 2000;

    /// <summary>Gets how many requests are in flight.</summary>
    public int Slots { get; init; } = 50;

    /// <summary>Gets the median time of an answer.</summary>
    public TimeSpan Latency { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Gets what all random choices follow from.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Gets a value indicating whether the tool runs without a cache, so that OUTPUT is the only store.</summary>
    public bool WithoutCache { get; init; }

    /// <summary>Gets what an answer in the cache survives.</summary>
    public Durability Durability { get; init; }

    /// <summary>Gets how long a process may take; longer is a violation.</summary>
    public TimeSpan MaxTime { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Gets who is told, a line for each job.</summary>
    public Action<string> Say { get; init; } = static _ => { };

    /// <summary>Gets the options of the tool that say where answers are kept.</summary>
    public IEnumerable<string> CacheArguments(string folder) => WithoutCache
        ? ["--no-cache"]
        : ["--cache", folder, "--durability", Durability == Durability.PowerLoss ? "power-loss" : "process-kill"];

    /// <summary>Gets how long a job takes that nobody kills, its start apart.</summary>
    public TimeSpan JobTime => Rows / Slots * Latency;
}
