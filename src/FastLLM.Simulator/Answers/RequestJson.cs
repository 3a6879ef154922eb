using System.Text;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Reads what chat and embedding requests have in common.</summary>
internal static class RequestJson
{
    public const int BytesPerToken = 4;

    /// <summary>Gets the creation time of every answer, always the same: an answer is a function of its request only.</summary>
    public static ReadOnlySpan<byte> Created => "1735689600"u8; // 2025-01-01

    public static long Tokens(long bytes) => (bytes + BytesPerToken - 1) / BytesPerToken;

    public static Utf8JsonReader Reader(ReadOnlySpan<byte> json) => new(json, new JsonReaderOptions { MaxDepth = 1000 });

    public static bool EnterObject(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.StartObject;

    /// <summary>Reads the model of a request that is known to be good.</summary>
    public static string Model(ReadOnlySpan<byte> body)
    {
        string model = "";
        Utf8JsonReader reader = Reader(body);
        EnterObject(ref reader);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isModel = reader.ValueTextEquals("model"u8);
            reader.Read();
            if (isModel)
            {
                model = Encoding.UTF8.GetString(JsonText.Decode(reader.ValueSpan));
            }

            reader.Skip();
        }

        return model;
    }

    /// <summary>Reads an optional integer; JSON null is as good as its absence.</summary>
    public static Problem? ReadInteger(ref Utf8JsonReader reader, string name, long min, long max, out long? value)
    {
        reader.Read();
        value = null;
        if (reader.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < min || number > max)
        {
            return Problem.Invalid(name, max == long.MaxValue ? $"an integer of at least {min}" : $"an integer from {min} to {max}");
        }

        value = number;
        return null;
    }
}
