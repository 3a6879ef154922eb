using System.Text.Json;
using FastLLM.Json;
using FastLLM.Responses;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Reads the messages of a request's body as chat messages.</summary>
internal static class MessageReading
{
    public static IEnumerable<ChatMessage> Read(JsonElement messages)
    {
        foreach (JsonElement json in messages.EnumerateArray())
        {
            string role = json.GetProperty("role").GetString()!;
            List<AIContent> contents = [];
            if (role is "tool" or "function")
            {
                // The older form names the function, not the call. Its calls are read with the name as their id, so that they match.
                string? id = json.Text("tool_call_id") ?? json.Text("name");
                contents.Add(new FunctionResultContent(id ?? throw NotSupported("tool message without a tool_call_id"), AnswerOf(json)));
                yield return new ChatMessage(ChatRole.Tool, contents);
                continue;
            }

            if (json.TryGetProperty("content", out JsonElement content))
            {
                contents.AddRange(ReadContent(content));
            }

            if (json.Text("refusal") is { } refusal)
            {
                contents.Add(new ErrorContent(refusal) { ErrorCode = ChatMessages.Refusal });
            }

            if (json.TryGetProperty("tool_calls", out JsonElement calls) && calls.ValueKind == JsonValueKind.Array)
            {
                contents.AddRange(calls.EnumerateArray().Select(ReadCall));
            }

            if (json.TryGetProperty("function_call", out JsonElement function) && function.ValueKind == JsonValueKind.Object)
            {
                contents.Add(ToCall(new ToolCall(function.Text("name") ?? "", ReadFunction(function))));
            }

            yield return new ChatMessage(new ChatRole(role), contents) { AuthorName = json.Text("name") };
        }
    }

    public static LlmException NotSupported(string what) => new(FailureKind.NotSupported, $"A {what} cannot be sent to a chat client.");

    /// <summary>Converts a call to content.</summary>
    public static FunctionCallContent ToCall(ToolCall call)
    {
        if (call.Type == "custom")
        {
            return new FunctionCallContent(call.Id, call.Function.Name,
                new Dictionary<string, object?> { [ChatMessages.Input] = call.Function.Arguments }) { RawRepresentation = call };
        }

        // If the arguments are not a JSON object, the content has the exception, and the raw call the text.
        FunctionCallContent content = FunctionCallContent.CreateFromParsedArguments(call.Function.Arguments, call.Id, call.Function.Name,
            ValueJson.ReadMembers);
        content.RawRepresentation = call;
        return content;
    }

    private static IEnumerable<AIContent> ReadContent(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.Null => [],
        JsonValueKind.String => [new TextContent(content.GetString())],
        _ => content.EnumerateArray().Select(ReadPart),
    };

    private static AIContent ReadPart(JsonElement part)
    {
        AIContent content = part.Text("type") switch
        {
            "text" => new TextContent(part.GetProperty("text").GetString()),
            "refusal" => new ErrorContent(part.Text("refusal") ?? "") { ErrorCode = ChatMessages.Refusal },
            "image_url" => ReadImage(part.GetProperty("image_url")),
            "input_audio" => ReadSound(part.GetProperty("input_audio")),
            "file" => ReadFile(part.GetProperty("file")),
            var type => throw NotSupported($"content part of type \"{type}\""),
        };

        // For a client that knows more of the protocol than its content types do.
        if (content is not (TextContent or ErrorContent))
        {
            content.RawRepresentation = ContentPart.FromJson(part);
        }

        return content;
    }

    private static AIContent ReadImage(JsonElement image)
    {
        string url = image.GetProperty("url").GetString()!;
        AIContent content = url.StartsWith("data:", StringComparison.OrdinalIgnoreCase)
            ? new DataContent(url)
            : new UriContent(url, ImageType(url));
        if (image.Text("detail") is { } detail)
        {
            content.AdditionalProperties = new AdditionalPropertiesDictionary { ["detail"] = detail };
        }

        return content;
    }

    private static string ImageType(string url) => Path.GetExtension(new Uri(url).AbsolutePath).ToUpperInvariant() switch
    {
        ".PNG" => "image/png",
        ".JPG" or ".JPEG" => "image/jpeg",
        ".GIF" => "image/gif",
        ".WEBP" => "image/webp",
        _ => "image/*",
    };

    private static DataContent ReadSound(JsonElement sound)
    {
        string format = sound.GetProperty("format").GetString()!;
        byte[] data = Convert.FromBase64String(sound.GetProperty("data").GetString()!);
        return new DataContent(data, format == "mp3" ? "audio/mpeg" : $"audio/{format}");
    }

    private static AIContent ReadFile(JsonElement file) => file.Text("file_data") is { } data
        ? new DataContent(data) { Name = file.Text("filename") }
        : new HostedFileContent(file.GetProperty("file_id").GetString()!);

    private static string AnswerOf(JsonElement message) => !message.TryGetProperty("content", out JsonElement content) ? ""
        : content.ValueKind switch
    {
        JsonValueKind.Null => "",
        JsonValueKind.String => content.GetString()!,
        _ => string.Concat(content.EnumerateArray()
            .Select(part => part.Text("text") ?? throw NotSupported("tool's answer that is not text"))),
    };

    private static FunctionCallContent ReadCall(JsonElement call) =>
        call.Member("function").ValueKind == JsonValueKind.Object || call.Member("custom").ValueKind == JsonValueKind.Object
            ? ToCall(AnswerReader.ToToolCall(call))
            : throw NotSupported($"tool call of type \"{call.Text("type")}\"");

    private static FunctionCall ReadFunction(JsonElement function) => new(function.Text("name") ?? "", function.Text("arguments") ?? "");
}
