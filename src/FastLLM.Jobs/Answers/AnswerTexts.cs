namespace FastLLM.Jobs.Answers;

/// <summary>Reads the texts of answers.</summary>
internal static class AnswerTexts
{
    /// <summary>Gets the text of a response; <see langword="null"/> if it has none.</summary>
    public static string? Of(LlmResponse response) => response switch
    {
        ChatCompletion chat => chat.Text,
        OtherResponse other => other.Text,
        _ => null,
    };
}
