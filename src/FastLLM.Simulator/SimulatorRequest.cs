using System.Text.Json;

namespace FastLLM.Simulator;

/// <summary>Represents a request that the simulator received; see <see cref="SimulatorOptions.RecordRequests"/>.</summary>
/// <remarks>Immutable. Contains what the client sent, an API key included.</remarks>
public sealed class SimulatorRequest
{
    internal SimulatorRequest(string path, IReadOnlyDictionary<string, string> headers, ReadOnlyMemory<byte> body)
    {
        Path = path;
        Headers = headers;
        Body = body;
    }

    /// <summary>Gets the path, for example <c>/v1/chat/completions</c>.</summary>
    public string Path { get; }

    /// <summary>Gets the headers. Names are compared without regard to case.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Gets the body, exactly as it was sent.</summary>
    public ReadOnlyMemory<byte> Body { get; }

    /// <summary>Parses the body.</summary>
    /// <returns>The body as JSON.</returns>
    /// <exception cref="JsonException">The body is not JSON.</exception>
    public JsonElement ReadJson() => JsonElement.Parse(Body.Span);

    /// <summary>Returns path and size, never the content.</summary>
    public override string ToString() => $"{Path}, {Body.Length} bytes";
}
