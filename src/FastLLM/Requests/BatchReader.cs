using FastLLM.Json;
using System.Text.Json;

namespace FastLLM.Requests;

/// <summary>Reads a whole batch file into memory and reports every invalid line before any row is used.</summary>
internal static class BatchReader
{
    public static async Task<List<LlmRequest>> ReadAllAsync(Stream stream, CancellationToken cancellationToken)
    {
        var requests = new List<LlmRequest>();
        var errors = new List<(long Line, string Error)>();
        var lineOfId = new Dictionary<string, long>(StringComparer.Ordinal);
        (Stream source, _) = await InputStream.OpenAsync(stream, cancellationToken).ConfigureAwait(false);
        using var lines = new LineReader(source);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (!line.Span.ContainsAnyExcept(" \t\r"u8))
            {
                continue;
            }

            try
            {
                LlmRequest request = BatchLine.ReadAny(lines.Keep(line)).ToRequest();
                if (request.CustomId is { } id && !lineOfId.TryAdd(id, lines.Line))
                {
                    errors.Add((lines.Line, InputMessages.DuplicateId(id, lineOfId[id])));
                }

                requests.Add(request);
            }
            catch (Exception e) when (e is JsonException or ArgumentException)
            {
                errors.Add((lines.Line, JsonFault.Describe("The line", e)));
            }
        }

        return errors.Count == 0 ? requests : throw new BatchFormatException(errors);
    }
}
