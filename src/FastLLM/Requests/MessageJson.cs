using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>
/// Reads and writes messages in the format of the OpenAI API. Members are written in alphabetical order, as the key needs them.
/// </summary>
internal static class MessageJson
{
    public static void Write(Utf8JsonWriter writer, Message message)
    {
        writer.WriteStartObject();
        if (message.Content is { } content)
        {
            content.WriteTo(writer);
        }
        else if (message.Role == "assistant" && message.ToolCalls is null && message.FunctionCall is null
            && message.AdditionalProperties is null)
        {
            // The API requires the member if there are no calls either.
            writer.WriteNull("content"u8);
        }

        if (message.FunctionCall is { } function)
        {
            Write(writer, "function_call"u8, function);
        }

        if (message.Name is { } name)
        {
            writer.WriteText("name"u8, name);
        }

        writer.WriteString("role"u8, message.Role);
        if (message.ToolCallId is { } id)
        {
            writer.WriteText("tool_call_id"u8, id);
        }

        if (message.ToolCalls is { } calls)
        {
            writer.WriteStartArray("tool_calls"u8);
            foreach (ToolCall call in calls)
            {
                writer.WriteStartObject();
                Write(writer, "function"u8, call.Function);
                writer.WriteText("id"u8, call.Id);
                writer.WriteText("type"u8, call.Type);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        if (message.AdditionalProperties is { } more)
        {
            foreach ((string key, JsonElement value) in more)
            {
                // A null that was read is dropped if the property has been set since.
                if (value.ValueKind != JsonValueKind.Null || !IsSet(message, key))
                {
                    writer.WriteName(key);
                    writer.WriteRaw(value);
                }
            }
        }

        writer.WriteEndObject();
    }

    public static Message Read(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("A message is a JSON object with a \"role\" and a \"content\".");
        }

        string role = JsonText.StringOf(json, "role") ?? throw new JsonException("A message needs a \"role\" (a text).");
        Dictionary<string, JsonElement>? more = null;
        var message = new Message(role);
        foreach (JsonProperty member in json.EnumerateObject())
        {
            JsonElement value = member.Value;
            message = member.Name switch
            {
                "role" => message,
                "content" when value.ValueKind != JsonValueKind.Null => message with { Content = MessageContent.FromJson(value) },
                "name" when value.ValueKind == JsonValueKind.String => message with { Name = JsonText.StringOf(value) },
                "tool_call_id" when value.ValueKind == JsonValueKind.String => message with { ToolCallId = JsonText.StringOf(value) },
                "function_call" when IsFunction(value) => message with { FunctionCall = ReadFunction(value) },
                "tool_calls" when AreTools(value) => message with { ToolCalls = [.. value.EnumerateArray().Select(ReadTool)] },
                _ => Keep(message, member),
            };
        }

        return more is null ? message : message with { AdditionalProperties = more };

        Message Keep(Message unchanged, JsonProperty member)
        {
            // Nulls too: a model's message that is sent back must give the same request however it was read.
            (more ??= []).Add(member.Name, member.Value.Clone());
            return unchanged;
        }
    }

    private static void Write(Utf8JsonWriter writer, ReadOnlySpan<byte> name, FunctionCall function)
    {
        writer.WriteStartObject(name);
        writer.WriteText("arguments"u8, function.Arguments);
        writer.WriteText("name"u8, function.Name);
        writer.WriteEndObject();
    }

    private static bool IsSet(Message message, string name) => name switch
    {
        "content" => message.Content is not null,
        "name" => message.Name is not null,
        "tool_call_id" => message.ToolCallId is not null,
        "function_call" => message.FunctionCall is not null,
        "tool_calls" => message.ToolCalls is not null,
        _ => false,
    };

    private static bool IsFunction(JsonElement value) => value.ValueKind == JsonValueKind.Object
        && value.EnumerateObject().All(m => m.Name is "name" or "arguments" && m.Value.ValueKind == JsonValueKind.String)
        && value.TryGetProperty("name", out _);

    private static bool AreTools(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(
        call => call.ValueKind == JsonValueKind.Object
            && call.EnumerateObject().All(m => m.Name is "id" or "type" or "function")
            && JsonText.StringOf(call, "id") is not null
            && call.TryGetProperty("function", out JsonElement function) && IsFunction(function));

    private static FunctionCall ReadFunction(JsonElement value) =>
        new(JsonText.StringOf(value, "name")!, JsonText.StringOf(value, "arguments") ?? "");

    private static ToolCall ReadTool(JsonElement value) =>
        new(JsonText.StringOf(value, "id")!, ReadFunction(value.GetProperty("function"))) { Type = JsonText.StringOf(value, "type")
            ?? "function" };
}
