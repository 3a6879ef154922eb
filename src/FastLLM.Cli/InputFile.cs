using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Describes files that cannot be opened.</summary>
internal static class InputFile
{
    private const int MaxFiles = 2_000;

    /// <summary>Creates the error for a path that is not a file, with the most similar name in its folder.</summary>
    /// <param name="path">The path.</param>
    /// <param name="content">What the file should contain.</param>
    public static UsageException NotFound(string path, string content)
    {
        string shown = TerminalText.Clean(path);
        string folder = Path.GetDirectoryName(path) is { Length: > 0 } parent ? parent : ".";
        if (Directory.Exists(path))
        {
            return new UsageException($"{shown} is a folder. Name a file of {content} in it.");
        }

        if (path.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
            || path.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
        {
            string quoted = TerminalText.Clean(TerminalText.Quote(path));
            return new UsageException($"{shown} is an address, not a file. Download it first, such as with: curl -fLO {quoted}");
        }

        if (!Directory.Exists(folder))
        {
            return new UsageException($"File not found: {shown}. There is no folder {TerminalText.Clean(folder)}.");
        }

        string? name = Suggestion.For(Path.GetFileName(path), NamesIn(folder));
        string hint = name is null ? ""
            : $" Did you mean {TerminalText.Clean(TerminalText.Quote(Path.Combine(folder == "." ? "" : folder, name)))}?";
        return new UsageException($"File not found: {shown}.{hint}");
    }

    private static IEnumerable<string> NamesIn(string folder)
    {
        try
        {
            return [.. Directory.EnumerateFiles(folder).Take(MaxFiles).Select(file => Path.GetFileName(file))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
