namespace FastLLM.Cli;

/// <summary>What the process ends with: a contract with scripts.</summary>
internal static class ExitCode
{
    /// <summary>All rows succeeded.</summary>
    public const int Ok = 0;

    /// <summary>Finished; some rows failed.</summary>
    public const int SomeFailed = 1;

    /// <summary>Wrong usage or input; nothing was sent.</summary>
    public const int Usage = 2;

    /// <summary>Stopped early; the same command goes on.</summary>
    public const int Stopped = 3;

    /// <summary>Interrupted by Ctrl-C or SIGTERM; the same command goes on.</summary>
    public const int Interrupted = 130;
}
