using System.Text.RegularExpressions;
using Xunit;

namespace FastLLM.Tests.Docs;

/// <summary>Documents, help and XML comments use the words of CONTRIBUTING.md, and none of <see cref="Vocabulary"/>.</summary>
public sealed partial class VocabularyTests
{
    public static TheoryData<string> Documents =>
    [
        "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "bench/README.md",
        .. Files("docs", "*.md"),
    ];

    public static TheoryData<string> Sources => [.. Files("src", "*.cs").Concat(Files("samples", "*.cs"))];

    [Theory]
    [MemberData(nameof(Documents))]
    public void Document_HasNoBannedWord(string path)
    {
        string text = File.ReadAllText(Path.Combine(Vocabulary.Root, path));
        if (path == "CHANGELOG.md")
        {
            text = text.Split("\n## ")[1]; // earlier releases stay as they were written
        }

        Assert.Empty(Vocabulary.BannedIn(Code().Replace(text, "")));
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void CommentsAndTexts_HaveNoBannedWord(string path)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Vocabulary.Root, path));
        string texts = string.Join('\n', lines.SelectMany(line => Text().Matches(line).Select(match => match.Value)));

        Assert.Empty(Vocabulary.BannedIn(texts));
    }

    [Theory]
    [InlineData("Nobody is told.", 2)]
    [InlineData("The flight has landed, and its verdict goes on.", 4)]
    [InlineData("A cancelled run behaves.", 1)]
    [InlineData("It goes on to the next in-flight request, which the caller stands by.", 0)]
    public void BannedIn_FindsWholeWords(string text, int count) => Assert.Equal(count, Vocabulary.BannedIn(text).Count);

    private static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Vocabulary.Root, folder), pattern, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Vocabulary.Root, path).Replace('\\', '/'))
            .Order(StringComparer.Ordinal);

    // Code blocks, and names in code font.
    [GeneratedRegex("(?s)```.*?```|`[^`\n]*`")]
    private static partial Regex Code();

    // Comments, and string literals.
    [GeneratedRegex("(?://.*$)|(?:\"(?:[^\"\\\\]|\\\\.)*\")")]
    private static partial Regex Text();
}
