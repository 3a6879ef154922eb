using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Costs;

/// <summary>Reads from an answer which model it comes from: gateways fall back to others, and aliases hide them.</summary>
internal static class AnsweringModel
{
    /// <summary>Returns the model that an answer names; <see langword="null"/> if it is the requested one, or none is named.</summary>
    /// <param name="body">The answer, valid JSON. Only what precedes the name is read.</param>
    /// <param name="requested">The model of the request.</param>
    public static string? Other(ReadOnlySpan<byte> body, string requested)
    {
        var reader = new Utf8JsonReader(body);
        if (body.IsEmpty || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return null;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isModel = reader.TextIs("model"u8);
            reader.Read();
            if (isModel)
            {
                return reader.TokenType != JsonTokenType.String || reader.ValueTextEquals(requested) ? null : reader.Text();
            }

            reader.Skip();
        }

        return null;
    }
}
