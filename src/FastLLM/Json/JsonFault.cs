using System.Text.Json;

namespace FastLLM.Json;

/// <summary>Describes invalid JSON in the words of its author, instead of those of the parser.</summary>
internal static class JsonFault
{
    private const string Position = " LineNumber:";

    private static readonly (string Parser, string Reason)[] s_reasons =
    [
        ("Expected depth to be zero", "It ends too early: a closing brace or bracket is missing."),
        ("Expected end of string", "It ends within a text: a closing quote is missing."),
        ("does not contain any JSON tokens", "It is empty."),
        ("trailing comma", "There is a comma before a closing brace or bracket."),
        ("invalid start of a property name", "The name of a member must be in double quotes."),
        ("invalid start of a value", "A value is missing, or a text has no double quotes."),
        ("is invalid after a value", "A comma, or a closing brace or bracket, is missing."),
        ("after a property name", "A colon is missing after the name of a member."),
        ("after a single JSON value", "Something follows its end."),
        ("invalid within a JSON string", "A text has a line break or another control character: write it as an escape, such as \\n."),
        ("hex digit", "A \\u must be followed by four hexadecimal digits."),
        ("invalid escapable character", "A backslash begins no valid escape: write a backslash as \\\\."),
        ("configured depth", "It is nested too deeply."),
        ("uplicate property", "A member occurs twice."),
        ("literal", "A value is neither a number, true, false or null, nor a text in double quotes."),
    ];

    /// <summary>Returns whether the message is the parser's.</summary>
    public static bool IsParsers(Exception e) => e is JsonException && e.Message.Contains(Position, StringComparison.Ordinal);

    /// <summary>Returns the reason, in one sentence; a message that is not the parser's stays as it is.</summary>
    public static string Reason(JsonException e) => !IsParsers(e) ? e.Message
        : Array.Find(s_reasons, entry => e.Message.Contains(entry.Parser, StringComparison.Ordinal)).Reason
            ?? "A character is not valid here.";

    /// <summary>Returns the message of an exception; of the parser's, with what is invalid and where.</summary>
    /// <param name="what">What is invalid, such as <c>The line</c>.</param>
    /// <param name="e">The exception.</param>
    public static string Describe(string what, Exception e) => e is JsonException { BytePositionInLine: var at } json && IsParsers(e)
        ? FormattableString.Invariant($"{what} is not valid JSON, at byte {at ?? 0}. {Reason(json)}")
        : e.Message;
}
