using System.Diagnostics;
using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Diagnostics;

/// <summary>Adds prompt and answer of a send to its span, in the JSON form of the OpenTelemetry conventions. Only on request.</summary>
/// <remarks>Images, sounds and files are named by their type; their data is not recorded.</remarks>
internal static class MessageContentTags
{
    public static void Add(Activity activity, LlmRequest request, LlmResponse? response, LlmException? failure)
    {
        try
        {
            using JsonDocument body = JsonText.Parse(request.Body);
            activity.AddTag("gen_ai.input.messages", ToText(body.RootElement, WriteInput));
            if (response is not null)
            {
                activity.AddTag("gen_ai.output.messages", ToText(response.Json, WriteOutput));
            }
        }
        catch (JsonException)
        {
            // A span without content is better than a failed request.
        }

        if (failure is not null)
        {
            activity.SetStatus(ActivityStatusCode.Error, failure.Message);
        }
    }

    private static string ToText(JsonElement body, Action<Utf8JsonWriter, JsonElement> write) =>
        JsonText.Build(
            (body, write), static (writer, state) => state.write(writer, state.body), static json => Encoding.UTF8.GetString(json));

    private static void WriteInput(Utf8JsonWriter writer, JsonElement body)
    {
        writer.WriteStartArray();
        foreach (JsonElement message in body.Elements("messages").Concat(body.Elements("input")).Where(IsObject))
        {
            WriteMessage(writer, message, "user", finishReason: null);
        }

        if ((body.Text("input") ?? body.Text("prompt")) is { } text)
        {
            WriteMessage(writer, text);
        }

        foreach (JsonElement item in body.Elements("input").Concat(body.Elements("prompt")).Where(item => item.Text() is not null))
        {
            WriteMessage(writer, item.Text()!);
        }

        writer.WriteEndArray();
    }

    private static void WriteOutput(Utf8JsonWriter writer, JsonElement body)
    {
        writer.WriteStartArray();
        foreach (JsonElement choice in body.Elements("choices").Where(IsObject))
        {
            JsonElement message = choice.Message();
            WriteMessage(writer, IsObject(message) ? message : choice, "assistant", choice.Text("finish_reason") ?? "");
        }

        foreach (JsonElement item in body.Elements("output").Where(IsObject))
        {
            WriteMessage(writer, item, "assistant", item.Text("status") ?? "");
        }

        writer.WriteEndArray();
    }

    private static void WriteMessage(Utf8JsonWriter writer, string text)
    {
        writer.WriteStartObject();
        writer.WriteString("role"u8, "user"u8);
        writer.WriteStartArray("parts"u8);
        WriteText(writer, "text", text);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteMessage(Utf8JsonWriter writer, JsonElement message, string defaultRole, string? finishReason)
    {
        writer.WriteStartObject();
        writer.WriteString("role"u8, message.Text("role") ?? defaultRole);
        writer.WriteStartArray("parts"u8);
        if ((message.Text("reasoning_content") ?? message.Text("reasoning")) is { } reasoning)
        {
            WriteText(writer, "reasoning", reasoning);
        }

        if (message.Text("tool_call_id") is { } answered)
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, "tool_call_response"u8);
            writer.WriteString("id"u8, answered);
            writer.WriteString("response"u8, message.Text("content") ?? message.Member("content").RawTextOrEmpty());
            writer.WriteEndObject();
        }
        else
        {
            WriteContent(writer, message);
        }

        foreach (JsonElement call in message.Elements("tool_calls").Where(IsObject))
        {
            WriteCall(writer, call);
        }

        writer.WriteEndArray();
        if (finishReason is not null)
        {
            writer.WriteString("finish_reason"u8, finishReason);
        }

        writer.WriteEndObject();
    }

    private static void WriteContent(Utf8JsonWriter writer, JsonElement message)
    {
        if ((message.Text("content") ?? message.Text("text") ?? message.Text("refusal")) is { } text)
        {
            WriteText(writer, "text", text);
        }

        foreach (JsonElement part in message.Elements("content").Where(IsObject))
        {
            if ((part.Text("text") ?? part.Text("refusal")) is { } partText)
            {
                WriteText(writer, "text", partText);
            }
            else
            {
                writer.WriteStartObject();
                writer.WriteString("type"u8, part.Text("type") ?? "unknown");
                writer.WriteEndObject();
            }
        }
    }

    private static void WriteCall(Utf8JsonWriter writer, JsonElement call)
    {
        JsonElement function = call.Member("function");
        writer.WriteStartObject();
        writer.WriteString("type"u8, "tool_call"u8);
        writer.WriteString("id"u8, call.Text("id"));
        writer.WriteString("name"u8, function.Text("name") ?? "");
        writer.WriteString("arguments"u8, function.Text("arguments"));
        writer.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter writer, string type, string content)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, type);
        writer.WriteString("content"u8, content);
        writer.WriteEndObject();
    }

    private static bool IsObject(JsonElement json) => json.ValueKind == JsonValueKind.Object;

    private static string RawTextOrEmpty(this JsonElement json) => json.ValueKind == JsonValueKind.Undefined ? "" : json.RawText();
}
