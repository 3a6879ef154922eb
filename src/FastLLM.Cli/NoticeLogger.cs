using Microsoft.Extensions.Logging;

namespace FastLLM.Cli;

/// <summary>Shows the warnings of the engine as notices. Errors are reported when the run ends.</summary>
/// <param name="write">Shows a notice.</param>
/// <param name="verbose">Whether to show all messages from Debug on, except those of each success.</param>
internal sealed class NoticeLogger(Action<string> write, bool verbose) : ILogger
{
    private const int RequestReused = 202;
    private const int RequestAnswered = 405;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => verbose ? logLevel >= LogLevel.Debug : logLevel == LogLevel.Warning;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel) && eventId.Id is not (RequestReused or RequestAnswered))
        {
            write(formatter(state, exception));
        }
    }
}
