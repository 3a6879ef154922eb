using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Retries;

/// <summary>What a provider says of a failure, read from any of the error forms in use. Everything in it is untrusted text.</summary>
internal readonly record struct ErrorBody(string? Message, string? Type, string? Code, string? Parameter)
{
    private const int MaxDepth = 64;

    /// <summary>Gets a hint for the wait in Google's form: <c>details[].retryDelay</c>.</summary>
    public string? RetryDelay { get; init; }

    /// <summary>Gets Google's quota ids, joined by blanks.</summary>
    public string? QuotaIds { get; init; }

    /// <summary>Gets OpenRouter's <c>metadata.limit_source</c> or <c>metadata.error_type</c>, Anthropic's
    /// <c>details.error_code</c>.</summary>
    public string? Detail { get; init; }

    /// <summary>Reads <c>{error:{…}}</c>, <c>[{error:{…}}]</c>, <c>{error:"…"}</c>, the flat form, or plain text. Never throws.</summary>
    public static ErrorBody Read(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxDepth });
            using var document = JsonDocument.ParseValue(ref reader);
            bool isWord = document.RootElement.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array or JsonValueKind.String);
            return isWord ? PlainText(body) : Read(document.RootElement);
        }
        catch (JsonException)
        {
            return PlainText(body);
        }
    }

    /// <summary>Whether message, type or code contains one of <paramref name="words"/>, in any case.</summary>
    public bool Says(params ReadOnlySpan<string> words)
    {
        foreach (string word in words)
        {
            if (Has(Message, word) || Has(Type, word) || Has(Code, word))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether the message begins with one of <paramref name="words"/>, in any case.</summary>
    public bool Begins(params ReadOnlySpan<string> words)
    {
        foreach (string word in words)
        {
            if (Message?.StartsWith(word, StringComparison.OrdinalIgnoreCase) == true)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether type, code or detail equals one of <paramref name="codes"/>.</summary>
    public bool Is(params ReadOnlySpan<string> codes)
    {
        foreach (string code in codes)
        {
            if (code.Equals(Code, StringComparison.OrdinalIgnoreCase)
                || code.Equals(Type, StringComparison.OrdinalIgnoreCase)
                || code.Equals(Detail, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    // A page from a proxy, an empty body, "404 page not found".
    private static ErrorBody PlainText(ReadOnlySpan<byte> body)
    {
        string text = Encoding.UTF8.GetString(body[..Math.Min(body.Length, 200)]).Trim();
        bool saysNothing = text is "" or "null" || text.AsSpan().ContainsAny('\0', '\uFFFD'); // bytes that are no text
        return new ErrorBody(saysNothing ? null : text, null, null, null);
    }

    private static bool Has(string? text, string word) => text is not null && text.Contains(word, StringComparison.OrdinalIgnoreCase);

    private static ErrorBody Read(JsonElement root)
    {
        if (root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0)
        {
            root = root[0];
        }

        if (root.ValueKind != JsonValueKind.Object)
        {
            return new ErrorBody(root.Text(), null, null, null);
        }

        JsonElement error = root.Member("error");
        if (error.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined)
        {
            error = root;
        }

        if (error.ValueKind == JsonValueKind.String)
        {
            return new ErrorBody(error.Text(), null, null, null);
        }

        if (error.ValueKind != JsonValueKind.Object)
        {
            return default;
        }

        var read = new ErrorBody(
            Text(error, "message") ?? Text(error, "detail"),
            Text(error, "type") ?? Text(error, "status"),
            Text(error, "code"),
            Text(error, "param"));
        return WithDetails(read, error);
    }

    private static ErrorBody WithDetails(ErrorBody read, JsonElement error)
    {
        if (error.Member("metadata") is { ValueKind: JsonValueKind.Object } metadata)
        {
            return read with { Detail = Text(metadata, "limit_source") ?? Text(metadata, "error_type") };
        }

        JsonElement details = error.Member("details");
        if (details.ValueKind == JsonValueKind.Object)
        {
            return read with { Detail = Text(details, "error_code") };
        }

        if (details.ValueKind != JsonValueKind.Array)
        {
            return read;
        }

        foreach (JsonElement detail in details.EnumerateArray())
        {
            if (detail.ValueKind != JsonValueKind.Object)
            {
                continue;
            }

            read = read with { RetryDelay = Text(detail, "retryDelay") ?? read.RetryDelay };
            if (detail.Member("violations") is { ValueKind: JsonValueKind.Array } violations)
            {
                IEnumerable<string?> ids = violations.EnumerateArray()
                    .Where(v => v.ValueKind == JsonValueKind.Object)
                    .Select(v => Text(v, "quotaId"));
                read = read with { QuotaIds = string.Join(' ', ids) };
            }
        }

        return read;
    }

    private static string? Text(JsonElement parent, string name) =>
        parent.Member(name) is { ValueKind: JsonValueKind.Number } number ? number.GetRawText() : parent.Text(name);
}
