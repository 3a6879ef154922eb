using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM.Checks;

/// <summary>Creates the request that corrects an answer: the conversation so far, the answer, and its error.</summary>
/// <remarks>It is a request like any other, with a key of its own. The same request, answer and error give the same correction, so the
/// cache finds its answer in later runs.</remarks>
internal static class Correction
{
    /// <summary>The length of an error in the correction; a schema can be violated in thousands of places.</summary>
    private const int MaxErrorLength = 1_000;

    /// <summary>Creates the correction of an answer; <see langword="null"/> if the endpoint has no conversation to continue.</summary>
    public static LlmRequest? Of(LlmRequest request, string answer, string error, string? instruction)
    {
        (answer, string note) = (Encodable(answer), Encodable(Note(error, instruction)));
        if (request is { Endpoint: Endpoints.ChatCompletions, IsVerbatim: false })
        {
            // Unlike a rewritten body, it still knows whether its temperature is the default.
            return request with { Messages = [.. request.Messages, Message.Assistant(answer), Message.User(note)] };
        }

        string? member = request.Endpoint switch
        {
            Endpoints.ChatCompletions => "messages",
            Endpoints.Responses => "input",
            _ => null,
        };
        return member is null || Continue(request.Body, member, answer, note) is not { } body ? null
            : LlmRequest.FromBody(request.Endpoint, body, request.CustomId, request.Sample, request.Provider);
    }

    // Texts of models and of checks may be cut inside a surrogate pair.
    private static string Encodable(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static string Note(string error, string? instruction)
    {
        string shown = error.Length <= MaxErrorLength ? error
            : string.Concat(error.AsSpan(0, char.IsHighSurrogate(error[MaxErrorLength - 1]) ? MaxErrorLength - 1 : MaxErrorLength), " …");
        return instruction is null
            ? $"Your answer is not valid: {shown}\nAnswer again with the corrected answer only."
            : $"Your answer is not valid: {shown}\n{instruction}\nAnswer again with the corrected answer only.";
    }

    // All other members stay as they are.
    private static byte[]? Continue(ReadOnlyMemory<byte> body, string member, string answer, string note)
    {
        using JsonDocument document = JsonText.Parse(body);
        return document.RootElement.Member(member).ValueKind is JsonValueKind.Array or JsonValueKind.String
            ? JsonText.Build(writer => Write(writer, document, member, answer, note))
            : null;
    }

    private static void Write(Utf8JsonWriter writer, JsonDocument document, string member, string answer, string note)
    {
        writer.WriteStartObject();
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
        {
            writer.WriteName(property.Name);
            if (property.Name != member)
            {
                writer.WriteRaw(property.Value);
                continue;
            }

            writer.WriteStartArray();
            if (property.Value.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement turn in property.Value.EnumerateArray())
                {
                    writer.WriteRaw(turn);
                }
            }
            else
            {
                WriteTurn(writer, "user"u8, JsonText.StringOf(property.Value));
            }

            WriteTurn(writer, "assistant"u8, answer);
            WriteTurn(writer, "user"u8, note);
            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static void WriteTurn(Utf8JsonWriter writer, ReadOnlySpan<byte> role, string text)
    {
        writer.WriteStartObject();
        writer.WriteString("role"u8, role);
        writer.WriteText("content"u8, text);
        writer.WriteEndObject();
    }
}
