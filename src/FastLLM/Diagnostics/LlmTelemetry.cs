namespace FastLLM;

/// <summary>Defines the name under which FastLLM reports traces and metrics.</summary>
/// <remarks><c>docs/telemetry.md</c> lists every span, metric and attribute.</remarks>
public static class LlmTelemetry
{
    /// <summary>The name of the <see cref="System.Diagnostics.ActivitySource"/> and of the
    /// <see cref="System.Diagnostics.Metrics.Meter"/>: <c>tracing.AddSource(LlmTelemetry.Name)</c>,
    /// <c>metrics.AddMeter(LlmTelemetry.Name)</c>.</summary>
    public const string Name = "FastLLM";

    /// <summary>The environment variable that turns on the recording of prompts and answers; see
    /// <see cref="RequestManagerOptions.CaptureMessageContent"/>.</summary>
    public const string CaptureVariable = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
}
