namespace FastLLM.Requests;

/// <summary>Defines the messages of errors that more than one reader finds.</summary>
internal static class InputMessages
{
    public const string NoRequest =
        "The line is not a JSON object with a batch line (\"custom_id\", \"url\", \"body\") or a request body (\"messages\" or \"input\"). "
        + "For plain rows, set the prompt with --template.";

    private const int ShownOfId = 80;

    public static string DuplicateId(string id, long firstLine) =>
        $"custom_id \"{Shorten(id)}\" is already in line {firstLine}; ids must be unique.";

    private static string Shorten(string id) => id.Length <= ShownOfId ? id : id[..ShownOfId] + "…";
}
