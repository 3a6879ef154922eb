namespace FastLLM.Requests;

/// <summary>Reads a whole batch file into memory, and names every mistake in it before anything is used.</summary>
internal static class BatchReader
{
    public static async Task<List<LlmRequest>> ReadAllAsync(Stream stream, CancellationToken cancellationToken)
    {
        var requests = new List<LlmRequest>();
        var errors = new List<(long Line, string Error)>();
        var lineOfId = new Dictionary<string, long>(StringComparer.Ordinal);
        using var rows = new InputReader(stream);
        while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false) is { } row)
        {
            if (row.Request is not { } request)
            {
                errors.Add((row.Line, row.Error!));
                continue;
            }

            if (request.CustomId is { } id && !lineOfId.TryAdd(id, row.Line))
            {
                errors.Add((row.Line, InputMessages.DuplicateId(id, lineOfId[id])));
            }

            requests.Add(request);
        }

        return errors.Count == 0 ? requests : throw new BatchFormatException(errors);
    }
}
