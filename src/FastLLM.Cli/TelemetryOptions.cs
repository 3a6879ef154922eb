using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Reads the option of where traces and metrics go.</summary>
internal sealed class TelemetryOptions
{
    private readonly Option<string?> _otlp = CliOption.Text(
        "--otlp", "URL", "Export traces and metrics to an OpenTelemetry collector (OTLP over HTTP), such as http://localhost:4318.");

    /// <summary>Adds the option to a command.</summary>
    public void AddTo(CliCommand command) => command.Add("Display", _otlp);

    /// <summary>Returns the base URL of the collector; <see langword="null"/> if nothing is exported.</summary>
    /// <param name="result">The arguments.</param>
    /// <param name="allowHttp">Whether http:// is allowed outside private networks.</param>
    /// <exception cref="UsageException">It is not a base URL, or would expose the telemetry.</exception>
    public Uri? Read(ParseResult result, bool allowHttp)
    {
        if (result.GetValue(_otlp) is not { } text)
        {
            return null;
        }

        if (!Uri.TryCreate(text.Trim().TrimEnd('/') + '/', UriKind.Absolute, out Uri? url)
            || url is not { Scheme: "http" or "https", UserInfo.Length: 0, Query.Length: 0, Fragment.Length: 0 })
        {
            throw UsageException.Invalid(
                _otlp.Name, text, "Use the base URL of a collector, such as http://localhost:4318. Headers: OTEL_EXPORTER_OTLP_HEADERS.");
        }

        return url.Scheme == "https" || allowHttp || Endpoint.IsPrivate(url) ? url : throw UsageException.Invalid(
            _otlp.Name, text, "It uses http:// outside this machine and private networks. Use https://, or allow it with --allow-http.");
    }
}
