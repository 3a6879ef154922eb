namespace FastLLM.Cli;

/// <summary>Defines the exit codes of the process. Scripts rely on them.</summary>
internal static class ExitCode
{
    /// <summary>All rows succeeded.</summary>
    public const int Ok = 0;

    /// <summary>The run finished; some rows failed.</summary>
    public const int SomeFailed = 1;

    /// <summary>The usage or the input is invalid; nothing was sent.</summary>
    public const int Usage = 2;

    /// <summary>The run stopped early; the same command resumes it.</summary>
    public const int Stopped = 3;

    /// <summary>Ctrl-C, SIGTERM or SIGHUP interrupted the run; the same command resumes it.</summary>
    public const int Interrupted = 130;

    /// <summary>Returns the exit code for the result of a job.</summary>
    public static int Of(JobResult result) => result switch
    {
        { Stopped: not null } => Stopped,
        { Interrupted: true } => Interrupted,
        { Pending: > 0 } => Stopped,
        { Failed: > 0 } => SomeFailed,
        _ => Ok,
    };
}
