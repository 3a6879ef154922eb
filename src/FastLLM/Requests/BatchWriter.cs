using System.Globalization;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>Writes requests as OpenAI batch lines, bodies byte for byte.</summary>
internal static class BatchWriter
{
    private const int KeyDigits = 16;

    public static async Task WriteAllAsync(IReadOnlyList<LlmRequest> requests, Stream stream, CancellationToken cancellationToken)
    {
        HashSet<string> taken = Repeated(requests);
        var buffered = new BufferedStream(stream, 64 * 1024);
        for (var order = 0; order < requests.Count; order++)
        {
            await buffered.WriteAsync(Line(requests[order], order, taken), cancellationToken).ConfigureAwait(false);
        }

        await buffered.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private static byte[] Line(LlmRequest request, int order, HashSet<string> taken)
    {
        string id = request.CustomId is { } own && !taken.Contains(own) ? own : MadeId(request, order);
        byte[] line = JsonText.Build(writer =>
        {
            writer.WriteStartObject();
            writer.WriteText("custom_id"u8, id);
            writer.WriteString("method"u8, "POST"u8);
            writer.WriteText("url"u8, request.Endpoint);
            writer.WritePropertyName("body"u8);
            writer.WriteRawValue(OneLine(request.Body.Span), skipInputValidation: true);
            if (request.Sample > 0)
            {
                writer.WriteStartObject("fastllm"u8);
                writer.WriteNumber("sample"u8, request.Sample);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        });
        return [.. line, (byte)'\n'];
    }

    // A pretty-printed body has line ends between its members; inside strings they are always escaped.
    private static ReadOnlySpan<byte> OneLine(ReadOnlySpan<byte> body)
    {
        if (!body.ContainsAny((byte)'\n', (byte)'\r'))
        {
            return body;
        }

        byte[] line = body.ToArray();
        line.AsSpan().Replace((byte)'\n', (byte)' ');
        line.AsSpan().Replace((byte)'\r', (byte)' ');
        return line;
    }

    private static string MadeId(LlmRequest request, int order) => $"{order}-{request.Key.ToString()[..KeyDigits]}";

    // Also an id that would be generated for another place: a file that was written here and read again has such ids.
    private static bool IsMadeElsewhere(string id, int order, IReadOnlyList<LlmRequest> requests) =>
        id.IndexOf('-', StringComparison.Ordinal) is > 0 and var dash
        && int.TryParse(id.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out int other)
        && other != order && other < requests.Count && id == MadeId(requests[other], other);

    private static HashSet<string> Repeated(IReadOnlyList<LlmRequest> requests)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var repeated = new HashSet<string>(StringComparer.Ordinal);
        for (var order = 0; order < requests.Count; order++)
        {
            if (requests[order].CustomId is { } id && (!seen.Add(id) || IsMadeElsewhere(id, order, requests)))
            {
                repeated.Add(id);
            }
        }

        return repeated;
    }
}
