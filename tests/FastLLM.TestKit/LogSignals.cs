using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace FastLLM.TestKit;

/// <summary>A logger that lets a test wait for an event of the engine by its published name.</summary>
public sealed class LogSignals : ILogger
{
    private readonly ConcurrentDictionary<string, Gauge> _events = new();

    /// <summary>Completes when the event has been logged at least <paramref name="count"/> times.</summary>
    public Task WaitForAsync(string eventName, CancellationToken cancellationToken, int count = 1) => Of(eventName).WaitForAsync(count, cancellationToken);

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => true;

    /// <inheritdoc/>
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Of(eventId.Name ?? "").Add(1);

    private Gauge Of(string eventName) => _events.GetOrAdd(eventName, static _ => new Gauge());
}
