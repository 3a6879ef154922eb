using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>Represents a line of an OpenAI batch file: <c>custom_id</c>, <c>method</c>, <c>url</c> and the bytes of the body.</summary>
/// <remarks>The body is cut out of the line without decoding it.</remarks>
internal readonly record struct BatchLine(string? CustomId, string Url, ReadOnlyMemory<byte> Body, int Sample)
{
    /// <summary>The endpoints that a batch line may name.</summary>
    public static readonly string[] KnownUrls = [Endpoints.ChatCompletions, Endpoints.Embeddings, Endpoints.Responses,
        Endpoints.Completions];

    /// <summary>Returns whether the JSON object has a member <c>body</c>, which a bare body has not.</summary>
    public static bool IsBatchLine(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = JsonText.MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.TextIs("body"u8))
            {
                return true;
            }

            if (reader.TextIs("messages"u8) || reader.TextIs("input"u8))
            {
                return false;
            }

            reader.Skip();
        }

        return false;
    }

    /// <summary>Reads a line.</summary>
    /// <exception cref="JsonException">The line is not a batch line; the message names the cause.</exception>
    public static BatchLine Read(ReadOnlyMemory<byte> line)
    {
        var reader = new Utf8JsonReader(line.Span, new JsonReaderOptions { MaxDepth = JsonText.MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("A batch line is a JSON object with \"custom_id\", \"method\", \"url\" and \"body\".");
        }

        string? customId = null, method = null, url = null;
        ReadOnlyMemory<byte>? body = null;
        var sample = 0;
        var seen = Members.None;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            Members member = MemberOf(ref reader);
            if (member != Members.None && (seen & member) != 0)
            {
                throw new JsonException($"\"{JsonText.StringOf(ref reader)}\" stands twice in one line.");
            }

            seen |= member;
            reader.Read();
            switch (member)
            {
                case Members.CustomId:
                    customId = Text(ref reader, "custom_id");
                    break;
                case Members.Method:
                    method = Text(ref reader, "method");
                    break;
                case Members.Url:
                    url = Text(ref reader, "url");
                    break;
                case Members.Body when reader.TokenType == JsonTokenType.StartObject:
                    var start = (int)reader.TokenStartIndex;
                    reader.Skip();
                    body = line[start..(int)reader.BytesConsumed];
                    break;
                case Members.Body:
                    throw new JsonException("\"body\" must be a JSON object: the request as the API accepts it.");
                case Members.Own:
                    sample = ReadSample(ref reader);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        while (reader.Read())
        {
            // To the end: the reader throws if anything follows the object.
        }

        return new BatchLine(customId, CheckUrl(method, url), body ?? throw new JsonException("The line has no \"body\"."), sample);
    }

    /// <summary>Reads a line that is a batch line or a bare body.</summary>
    /// <exception cref="JsonException">The line is neither; the message names the error.</exception>
    public static BatchLine ReadAny(ReadOnlyMemory<byte> line) => IsBatchLine(line.Span)
        ? Read(line)
        : new BatchLine(null, BareBody.EndpointOf(line.Span) ?? throw new JsonException(InputMessages.NoRequest), line, Sample: 0);

    /// <summary>Gets the line as a request whose body is the bytes of the line.</summary>
    public LlmRequest ToRequest() => LlmRequest.FromBody(Url, Body, CustomId, Sample);

    private static string CheckUrl(string? method, string? url)
    {
        if (method is not (null or "POST"))
        {
            throw new JsonException($"\"method\" is \"{method}\", but only POST can be sent.");
        }

        return url switch
        {
            null => throw new JsonException("The line has no \"url\". Name the endpoint, such as \"/v1/chat/completions\"."),
            _ when Array.IndexOf(KnownUrls, url) is >= 0 and var known => KnownUrls[known],
            _ when EndpointPath.Fault(url) is { } fault => throw new JsonException($"\"url\" is wrong: {fault}."),
            _ => throw new JsonException($"\"url\" is \"{url}\", but must be one of {string.Join(", ", KnownUrls)}."),
        };
    }

    // "fastllm":{"sample":2} requests another sample; the rest of this member is written by a run and not read.
    private static int ReadSample(ref Utf8JsonReader reader)
    {
        var sample = 0;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return sample;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isSample = reader.TextIs("sample"u8);
            reader.Read();
            if (isSample)
            {
                sample = reader.TryGetWhole(out long number) && number is >= 0 and <= int.MaxValue
                    ? (int)number
                    : throw new JsonException("\"fastllm\".\"sample\" must be a whole number from 0.");
            }

            reader.Skip();
        }

        return sample;
    }

    private static Members MemberOf(ref Utf8JsonReader reader) => reader switch
    {
        _ when reader.TextIs("custom_id"u8) => Members.CustomId,
        _ when reader.TextIs("method"u8) => Members.Method,
        _ when reader.TextIs("url"u8) => Members.Url,
        _ when reader.TextIs("body"u8) => Members.Body,
        _ when reader.TextIs("fastllm"u8) => Members.Own,
        _ => Members.None,
    };

    private static string Text(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw new JsonException($"\"{name}\" must be a text.");
        }

        return JsonText.StringOf(ref reader, $"\"{name}\"");
    }

    [Flags]
    private enum Members
    {
        None = 0,
        CustomId = 1,
        Method = 2,
        Url = 4,
        Body = 8,
        Own = 16,
    }
}
