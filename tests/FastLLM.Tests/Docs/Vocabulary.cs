using System.Text.RegularExpressions;

namespace FastLLM.Tests.Docs;

/// <summary>The words that FastLLM does not use, each with the word to use instead.</summary>
internal static class Vocabulary
{
    private static readonly (Regex Word, string Instead)[] s_banned =
    [
        // Home-made words, and the standard terms of docs/architecture.md.
        Ban(@"flights?", "in-flight request", @"(?<!\bin[- ])\b"),
        Ban(@"land(?:s|ed|ing)?", "complete, fall"),
        Ban(@"verdicts?", "outcome"),
        Ban(@"blam(?:e[sd]?|ing)", "failure scope"),
        Ban(@"gates?", "rate limiter"),
        Ban(@"limiting factors?", "bottleneck"),
        Ban(@"dearest", "highest"),
        Ban(@"most tokens", "maximum number of tokens"),
        Ban(@"(?:learnt|spelt|burnt)", "learned"),
        Ban(@"told", "configured, reported"),

        // People and inversions where a technical writer names the thing and what it does.
        Ban(@"(?:whoever|who(?= (?:is|asks|answers|comes|writes|waits|reads|listens|sends)))", "the caller"),
        Ban(@"(?:nobody|somebody|anybody|everybody)(?:'s)?", "no caller, another process, everyone"),
        Ban(@"what(?:'s)? (?:became|becomes) of", "the result of"),
        Ban(@"what (?:went|goes) wrong", "the cause"),
        Ban(@"go(?:es|ne)? on(?! (?:to|the))", "continue, resume"),
        Ban(@"how it comes along", "progress"),
        Ban(@"begins? anew", "start over"),
        Ban(@"by themselves", "on their own"),
        Ban(@"of one's own", "custom"),
        Ban(@"for ever", "indefinitely"),
        Ban(@"without a word", "silently"),
        Ban(@"is (?:not )?said", "is reported"),
        Ban(@"left out", "omitted; in help: Default"),
        Ban(@"stands? (?:there|in|beside|behind)", "is in"),

        // American spelling.
        Ban(@"(?<!"")cancelled|cancelling", "canceled, canceling"),
        Ban(@"(?:behaviour|colour|honour|favour)\w*", "behavior"),
        Ban(@"(?:normalis|serialis|organis|recognis|initialis)\w*", "-ize"),
        Ban(@"licence", "license"),
    ];

    /// <summary>Gets the folder of the repository.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Returns the banned words in a text, each with the word to use instead.</summary>
    public static IReadOnlyList<string> BannedIn(string text) =>
        [.. s_banned.SelectMany(rule => rule.Word.Matches(text).Select(match => $"\"{match.Value}\": use {rule.Instead}"))];

    private static (Regex Word, string Instead) Ban(string word, string instead, string start = @"\b") =>
        (new Regex($@"{start}(?:{word})\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant), instead);

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder!, "FastLLM.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder!;
    }
}
