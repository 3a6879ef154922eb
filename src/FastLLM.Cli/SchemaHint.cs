namespace FastLLM.Cli;

/// <summary>Recognizes servers that do not know <c>response_format</c> with a schema.</summary>
internal static class SchemaHint
{
    private static readonly string[] s_names = ["response_format", "json_schema", "text.format"];

    /// <summary>Returns what to do about a failure; <see langword="null"/> if it has another reason.</summary>
    /// <param name="job">The job.</param>
    /// <param name="failure">The failure of a row.</param>
    public static string? On(JobOptions job, LlmException failure) =>
        job is { Answers.IsInPrompt: false, Template: not null } && failure.StatusCode is >= 400 and < 500
            && Array.Exists(s_names, name => failure.Message.Contains(name, StringComparison.Ordinal))
            ? "The server refuses requests with a schema. To describe labels, fields or schema in the system message instead, "
                + "add: --schema-in-prompt"
            : null;
}
