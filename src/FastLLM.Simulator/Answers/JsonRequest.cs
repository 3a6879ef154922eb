using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Reads and writes what responses and completions have in common. Unlike chat completions, they are read as a document.</summary>
internal static class JsonRequest
{
    public const int MaxPieces = 10_000;

    /// <summary>Parses a body; the caller disposes the document.</summary>
    /// <returns>What is wrong with the body, if anything.</returns>
    public static Problem? Parse(ReadOnlySpan<byte> body, out JsonDocument document)
    {
        document = JsonDocument.Parse(body.ToArray(), new JsonDocumentOptions { MaxDepth = 1000 });
        return document.RootElement.ValueKind == JsonValueKind.Object ? null : Problem.BrokenJson;
    }

    public static JsonElement Get(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value) ? value : default;

    public static string? Text(JsonElement parent, string name) =>
        Get(parent, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    public static bool IsTrue(JsonElement parent, string name) => Get(parent, name).ValueKind == JsonValueKind.True;

    public static long? Whole(JsonElement parent, string name, ref Problem? problem)
    {
        JsonElement value = Get(parent, name);
        if (value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number > 0)
        {
            return number;
        }

        problem ??= Problem.Invalid(name, "an integer of at least 1");
        return null;
    }

    public static string Answer(BodyHash hash, int choice, string said) => string.Create(
        CultureInfo.InvariantCulture, $"Answer {(choice == 0 ? hash.High : hash.Draw((ulong)choice)) >> 32:x8}: {said}");

    public static long Tokens(string text) => RequestJson.Tokens(Encoding.UTF8.GetByteCount(text));

    /// <summary>Cuts a text at a number of tokens, between two characters.</summary>
    public static string Cut(string text, long tokens, out bool isCut)
    {
        int length = 0;
        long bytes = 0, most = Math.Min(tokens, long.MaxValue / RequestJson.BytesPerToken) * RequestJson.BytesPerToken;
        foreach (Rune rune in text.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > most)
            {
                isCut = true;
                return text[..length];
            }

            length += rune.Utf16SequenceLength;
        }

        isCut = false;
        return text;
    }

    /// <summary>Cuts a text into the pieces of a stream.</summary>
    public static List<string> Pieces(string text, int tokensPerPiece)
    {
        List<string> pieces = [];
        long size = Math.Max(tokensPerPiece, Tokens(text) / MaxPieces);
        while (text.Length > 0)
        {
            string piece = Cut(text, size, out _);
            pieces.Add(piece);
            text = text[piece.Length..];
        }

        return pieces;
    }

    /// <summary>Writes an object.</summary>
    public static void Write(JsonOut output, bool compact, Action<Utf8JsonWriter> write)
    {
        var bytes = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            Indented = !compact,
            NewLine = "\n",
            MaxDepth = 1000,
        }))
        {
            write(writer);
        }

        output.Raw(bytes.WrittenSpan);
    }

    /// <summary>Writes a member as the request has it, or a default.</summary>
    public static void Echo(Utf8JsonWriter writer, JsonElement request, string name, string otherwise)
    {
        writer.WritePropertyName(name);
        if (Get(request, name) is { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } value)
        {
            value.WriteTo(writer);
        }
        else
        {
            writer.WriteRawValue(otherwise);
        }
    }
}
