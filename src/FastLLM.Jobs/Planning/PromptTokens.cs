using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Planning;

/// <summary>Counts the prompt tokens of requests to one model by its vocabulary. Used by one thread at a time.</summary>
/// <remarks>Texts are counted exactly, and each message has three more tokens, as OpenAI documents. A request with content of other tokens
/// (images, sound, tools) is not counted. The schema of a <c>response_format</c> counts as its text, which is nearly right.</remarks>
internal sealed class PromptTokens(Vocabulary vocabulary)
{
    // Two seconds at most, whatever the size of the file: then a share of the requests stands for the others.
    private const long CountedFirst = 4 << 20;
    private const int ThenEvery = 100;

    private const int PerMessage = 3;
    private const int OfTheAnswersHead = 3;

    private string _lastSystem = "";
    private int _lastSystemTokens;
    private long _bytes;
    private int _skipped;

    /// <summary>Gets the name of the vocabulary.</summary>
    public string Name => vocabulary.Name;

    /// <summary>Counts the prompt of a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="bytes">The bytes of its text.</param>
    /// <returns>The tokens; <see langword="null"/> if the request is one of many that are not counted, or cannot be counted.</returns>
    public long? Count(LlmRequest request, long bytes)
    {
        if (_bytes >= CountedFirst && ++_skipped % ThenEvery != 0)
        {
            return null;
        }

        using JsonDocument body = JsonDocument.Parse(request.Body, new JsonDocumentOptions { MaxDepth = JsonText.MaxDepth });
        long? tokens = body.RootElement.Member("tools").ValueKind != JsonValueKind.Undefined ? null : request.Endpoint switch
        {
            Endpoints.ChatCompletions => OfChat(body.RootElement),
            Endpoints.Embeddings => OfTexts(body.RootElement.Member("input")),
            _ => null,
        };
        _bytes += tokens is null ? 0 : bytes;
        return tokens;
    }

    private long? OfChat(JsonElement body)
    {
        long tokens = OfTheAnswersHead + OfFormat(body.Member("response_format"));
        foreach (JsonElement message in body.Elements("messages"))
        {
            if (message.Text("role") is not { } role || OfContent(role, message) is not { } content
                || message.Member("tool_calls").ValueKind != JsonValueKind.Undefined)
            {
                return null;
            }

            tokens += PerMessage + vocabulary.Count(role) + content;
            tokens += message.Text("name") is { } name ? vocabulary.Count(name) + 1 : 0;
        }

        return tokens;
    }

    private long? OfContent(string role, JsonElement message)
    {
        JsonElement content = message.Member("content");
        if (content.ValueKind == JsonValueKind.Array)
        {
            long tokens = 0;
            foreach (JsonElement part in content.EnumerateArray())
            {
                if (part.Text("type") != "text" || part.Text("text") is not { } piece)
                {
                    return null;
                }

                tokens += vocabulary.Count(piece);
            }

            return tokens;
        }

        if (content.Text() is not { } text)
        {
            return content.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined ? 0 : null;
        }

        if (role is not ("system" or "developer"))
        {
            return vocabulary.Count(text);
        }

        // Nearly always that of the row before.
        if (text != _lastSystem)
        {
            (_lastSystem, _lastSystemTokens) = (text, vocabulary.Count(text));
        }

        return _lastSystemTokens;
    }

    private long OfFormat(JsonElement format) =>
        format.Member("json_schema") is { ValueKind: JsonValueKind.Object } schema ? vocabulary.Count(schema.RawText()) : 0;

    private long? OfTexts(JsonElement input)
    {
        if (input.Text() is { } text)
        {
            return vocabulary.Count(text);
        }

        long tokens = 0;
        foreach (JsonElement item in input.ValueKind == JsonValueKind.Array ? input.EnumerateArray() : default)
        {
            if (item.Text() is not { } one)
            {
                return null; // token numbers
            }

            tokens += vocabulary.Count(one);
        }

        return tokens > 0 ? tokens : null;
    }
}
