namespace FastLLM.Requests;

/// <summary>Defines the messages of errors that more than one reader finds.</summary>
internal static class InputMessages
{
    public const string NoRequest =
        "The line is no JSON object that is a batch line (\"custom_id\", \"url\", \"body\") or a request body (\"messages\" or \"input\" at the top). "
        + "For plain rows, say with --template what to ask of each.";

    private const int ShownOfId = 80;

    public static string DuplicateId(string id, long firstLine) =>
        $"custom_id \"{Shorten(id)}\" stands already in line {firstLine}; ids must be unique.";

    private static string Shorten(string id) => id.Length <= ShownOfId ? id : id[..ShownOfId] + "…";
}
