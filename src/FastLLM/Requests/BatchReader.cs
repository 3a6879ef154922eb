using System.Text.Json;

namespace FastLLM.Requests;

/// <summary>Reads a whole batch file, and names every mistake in it before anything is used.</summary>
internal static class BatchReader
{
    public static async Task<List<LlmRequest>> ReadAllAsync(Stream stream, CancellationToken cancellationToken)
    {
        var requests = new List<LlmRequest>();
        var errors = new List<(long Line, string Error)>();
        var lineOfId = new Dictionary<string, long>(StringComparer.Ordinal);
        using var lines = new LineReader(stream);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.Span.IndexOfAnyExcept(" \t\r"u8) < 0)
            {
                continue;
            }

            try
            {
                LlmRequest request = Read(line.Span);
                if (request.CustomId is { } id && !lineOfId.TryAdd(id, lines.Line))
                {
                    errors.Add((lines.Line, $"custom_id \"{id}\" stands already in line {lineOfId[id]}; ids must be unique."));
                }

                requests.Add(request);
            }
            catch (Exception e) when (e is JsonException or ArgumentException)
            {
                errors.Add((lines.Line, e.Message));
            }
        }

        return errors.Count == 0 ? requests : throw new BatchFormatException(errors);
    }

    // The line's bytes are lent; what is kept of them is copied, body and all.
    private static LlmRequest Read(ReadOnlySpan<byte> line)
    {
        ReadOnlyMemory<byte> kept = ByteSlab.Copy(line);
        return BatchLine.IsBatchLine(line)
            ? BatchLine.Read(kept).ToRequest()
            : LlmRequest.FromBody(RequestBody.EndpointOf(line), kept);
    }
}
