using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Reads text and numbers out of JSON that a server sent, or that a file holds of it. Nothing here throws on a token that a reader
/// accepts.</summary>
/// <remarks>
/// <para>One policy covers all JSON. It is tolerant here, and strict in <see cref="JsonText"/>, which reads what users send:</para>
/// <list type="table">
/// <listheader><term>In the JSON</term><description>From a server · From a user</description></listheader>
/// <item><term>Bytes that are not UTF-8, half of an escaped surrogate pair</term><description>U+FFFD in text and in OUTPUT, the received
/// bytes in the cache · an error</description></item>
/// <item><term>A whole number written <c>12.0</c> or <c>1e3</c></term><description>12 and 1000 · the same</description></item>
/// <item><term>A number as a string (<c>"12"</c>), a fraction or null where a whole number is expected</term><description>no number · an
/// error where the field is checked, otherwise sent as it is</description></item>
/// <item><term>Duplicate members</term><description>the last one counts · an error</description></item>
/// </list>
/// </remarks>
internal static class ReceivedJson
{
    /// <summary>Returns whether the name or string at the reader equals <paramref name="text"/>.</summary>
    public static bool TextIs(this ref Utf8JsonReader reader, ReadOnlySpan<byte> text) =>
        reader.ValueIsEscaped ? EscapedTextIs(ref reader, text) : reader.ValueTextEquals(text);

    /// <summary>Gets the name or string at the reader.</summary>
    public static string Text(this ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException) when (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
        {
            return Decode([(byte)'"', .. reader.ValueSpan, (byte)'"']);
        }
    }

    /// <summary>Reads the whole number at the reader; <see langword="false"/> if the token is anything else.</summary>
    public static bool TryGetWhole(this ref Utf8JsonReader reader, out long number)
    {
        number = 0;
        return reader.TokenType == JsonTokenType.Number
            && (reader.TryGetInt64(out number) || (reader.TryGetDecimal(out decimal value) && TryGetWhole(value, out number)));
    }

    /// <summary>Reads a whole number, also one that is written as a text: servers that are lenient take 3.0, 3e0 and "3" for 3.</summary>
    public static bool TryGetLenientWhole(this ref Utf8JsonReader reader, out long number)
    {
        if (reader.TryGetWhole(out number))
        {
            return true;
        }

        return reader.TokenType == JsonTokenType.String
            && decimal.TryParse(reader.Text(), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value)
            && TryGetWhole(value, out number);
    }

    /// <summary>Gets the string, or <see langword="null"/> if the value is not one.</summary>
    public static string? Text(this JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return null;
        }

        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            return Decode(JsonMarshal.GetRawUtf8Value(value));
        }
    }

    /// <summary>Gets the string of a member, or <see langword="null"/> if there is none.</summary>
    public static string? Text(this JsonElement parent, string name) => parent.Member(name).Text();

    /// <summary>Gets the message of a choice. Some servers name it <c>delta</c> without a stream, too.</summary>
    public static JsonElement Message(this JsonElement choice) =>
        choice.Member("message") is { ValueKind: not (JsonValueKind.Undefined or JsonValueKind.Null) } message
            ? message : choice.Member("delta");

    /// <summary>Gets the whole number of a member, or <see langword="null"/> if there is none.</summary>
    public static long? Whole(this JsonElement parent, string name) => parent.Member(name).Whole();

    /// <summary>Gets the whole number, or <see langword="null"/> if the value is anything else.</summary>
    public static long? Whole(this JsonElement value) =>
        value.ValueKind == JsonValueKind.Number
        && (value.TryGetInt64(out long number) || (value.TryGetDecimal(out decimal exact) && TryGetWhole(exact, out number)))
        ? number : null;

    /// <summary>Gets the larger of two members that state the same count under different names.</summary>
    public static JsonElement LargerOf(this JsonElement parent, string name, string other) =>
        parent.Whole(other) is { } second && !(parent.Whole(name) >= second) ? parent.Member(other) : parent.Member(name);

    /// <summary>Gets the elements of a member, none if it is not an array.</summary>
    public static IEnumerable<JsonElement> Elements(this JsonElement parent, string name) =>
        parent.Member(name) is { ValueKind: JsonValueKind.Array } list ? list.EnumerateArray() : [];

    /// <summary>Gets a member; <see cref="JsonValueKind.Undefined"/> if the value is not an object that has it.</summary>
    public static JsonElement Member(this JsonElement parent, string name)
    {
        if (parent.ValueKind != JsonValueKind.Object)
        {
            return default;
        }

        try
        {
            return parent.TryGetProperty(name, out JsonElement member) ? member : default;
        }
        catch (InvalidOperationException)
        {
            return parent.EnumerateObject().LastOrDefault(member => member.NameText() == name).Value;
        }
    }

    /// <summary>Gets the name of a member.</summary>
    public static string NameText(this JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            return Decode([(byte)'"', .. JsonMarshal.GetRawUtf8PropertyName(member), (byte)'"']);
        }
    }

    /// <summary>Gets the value's JSON as well-formed text.</summary>
    public static string RawText(this JsonElement value) => Encoding.UTF8.GetString(value.RawBytes());

    /// <summary>Gets the value's JSON as well-formed UTF-8.</summary>
    public static ReadOnlySpan<byte> RawBytes(this JsonElement value) => WellFormedJson.Of(JsonMarshal.GetRawUtf8Value(value));

    private static bool EscapedTextIs(ref Utf8JsonReader reader, ReadOnlySpan<byte> text)
    {
        try
        {
            return reader.ValueTextEquals(text);
        }
        catch (InvalidOperationException)
        {
            return false; // .NET refuses half of a surrogate pair
        }
    }

    private static string Decode(ReadOnlySpan<byte> quoted)
    {
        var reader = new Utf8JsonReader(WellFormedJson.Of(quoted));
        reader.Read();
        return reader.GetString()!;
    }

    private static bool TryGetWhole(decimal value, out long number)
    {
        bool isWhole = decimal.IsInteger(value) && value is >= long.MinValue and <= long.MaxValue;
        number = isWhole ? (long)value : 0;
        return isWhole;
    }
}
