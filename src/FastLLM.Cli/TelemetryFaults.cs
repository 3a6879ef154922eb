using System.Diagnostics.Tracing;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Reports the first fault of the OpenTelemetry SDK, which otherwise fails silently: a collector that cannot be reached, or spans
/// that were dropped.</summary>
internal sealed class TelemetryFaults(Action<string> report) : EventListener
{
    private const string Dropped = "DroppedExportProcessorItems";

    private bool _reported;

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name.StartsWith("OpenTelemetry", StringComparison.Ordinal))
        {
            EnableEvents(eventSource, EventLevel.Warning);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        // The base constructor may call this before the fields are set.
        bool isFault = eventData.Level <= EventLevel.Error || eventData.EventName == Dropped;
        if (report is null || !isFault || Interlocked.Exchange(ref _reported, true))
        {
            return;
        }

        string message = eventData.Message is { } format
            ? string.Format(CultureInfo.InvariantCulture, format, [.. eventData.Payload ?? []])
            : eventData.EventName ?? "unknown";
        report(message.Split('\n', 2)[0].Trim());
    }
}
