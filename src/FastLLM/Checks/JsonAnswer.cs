using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace FastLLM.Checks;

/// <summary>Reads JSON out of an answer: the whole text, or the one code block that the text consists of.</summary>
internal static class JsonAnswer
{
    private const string Fence = "```";

    // Deeper JSON than a request may have is no answer to one.
    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = Json.JsonText.MaxDepth, AllowDuplicateProperties = false };

    /// <summary>Returns the text without white space around it and without the fence of a code block.</summary>
    public static string Unfenced(string text)
    {
        string trimmed = text.Trim().TrimStart('\uFEFF').Trim();
        if (!trimmed.StartsWith(Fence, StringComparison.Ordinal) || !trimmed.EndsWith(Fence, StringComparison.Ordinal))
        {
            return trimmed;
        }

        int line = trimmed.IndexOf('\n', StringComparison.Ordinal);
        return line < 0 || line + 1 > trimmed.Length - Fence.Length ? trimmed : trimmed[(line + 1)..^Fence.Length].Trim();
    }

    /// <summary>Parses the JSON of an answer.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out JsonDocument? document, [NotNullWhen(false)] out string? error)
    {
        try
        {
            document = JsonDocument.Parse(Encoding.UTF8.GetBytes(Unfenced(text)), s_options);
            error = null;
            return true;
        }
        catch (JsonException e)
        {
            document = null;
            error = $"The answer is not JSON, or there is text around it. {Json.JsonFault.Reason(e)}";
            return false;
        }
    }
}
