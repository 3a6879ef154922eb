using System.Text;

namespace FastLLM.TestKit;

/// <summary>A request as <see cref="FaultServer"/> received it, to the byte.</summary>
/// <param name="Number">Which request of the server this is, from 1.</param>
/// <param name="Connection">Which connection it came on, from 1.</param>
/// <param name="Method">The method.</param>
/// <param name="Path">The target, as it was sent.</param>
/// <param name="Head">Request line and headers with the empty line at their end, as they were sent.</param>
/// <param name="Headers">The headers in order, duplicates included.</param>
/// <param name="Body">The body; a chunked one without its framing.</param>
public sealed record FaultRequest(
    int Number,
    int Connection,
    string Method,
    string Path,
    ReadOnlyMemory<byte> Head,
    IReadOnlyList<KeyValuePair<string, string>> Headers,
    ReadOnlyMemory<byte> Body)
{
    /// <summary>The body as UTF-8 text.</summary>
    public string Text => Encoding.UTF8.GetString(Body.Span);

    /// <summary>The first header of that name, or null.</summary>
    public string? Header(string name) =>
        Headers.Where(h => string.Equals(h.Key, name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value).FirstOrDefault();
}
