using System.Text.RegularExpressions;

namespace FastLLM.Costs;

/// <summary>The names under which one model goes.</summary>
internal static partial class ModelNames
{
    /// <summary>What follows the last slash; <see langword="null"/> where there is none.</summary>
    public static string? WithoutProvider(string name) =>
        name.LastIndexOf('/') is >= 0 and var slash && slash < name.Length - 1 ? name[(slash + 1)..] : null;

    /// <summary>The name without the date at its end; <see langword="null"/> where there is none.</summary>
    public static string? WithoutDate(string name) => Date().Match(name) is { Success: true, Index: > 0 and var at } ? name[..at] : null;

    [GeneratedRegex(@"-20[0-9]{2}(-[0-9]{2}-[0-9]{2}|[0-9]{4})$", RegexOptions.CultureInvariant)]
    private static partial Regex Date();
}
