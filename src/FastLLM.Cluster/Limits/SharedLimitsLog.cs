using Microsoft.Extensions.Logging;

namespace FastLLM.Cluster.Limits;

/// <summary>What is logged about shared limits.</summary>
internal static partial class SharedLimitsLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message =
        "Shared limits: the database is away ({Reason}). Models with configured limits wait until it is back; learned limits hold.")]
    public static partial void Away(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Shared limits: the database is back.")]
    public static partial void Back(ILogger logger);
}
