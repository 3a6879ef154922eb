using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Compares the text that a JSON reader stands at.</summary>
internal static class JsonReaderText
{
    /// <summary>Whether name or text is this one. .NET throws where it holds half of a surrogate pair; then it is not.</summary>
    public static bool TextIs(this ref Utf8JsonReader reader, ReadOnlySpan<byte> text)
    {
        if (!reader.ValueIsEscaped)
        {
            return reader.ValueTextEquals(text);
        }

        try
        {
            return reader.ValueTextEquals(text);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
