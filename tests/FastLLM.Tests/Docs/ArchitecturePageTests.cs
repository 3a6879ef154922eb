using System.Text.RegularExpressions;
using Xunit;

namespace FastLLM.Tests.Docs;

/// <summary>Readers find the code by <c>docs/architecture.md</c>, so whatever it names must exist.</summary>
public sealed partial class ArchitecturePageTests
{
    private static readonly string s_root = Vocabulary.Root;
    private static readonly string s_page = File.ReadAllText(Path.Combine(s_root, "docs", "architecture.md"));

    private static readonly string[] s_paths =
    [
        .. new[] { "src", "tests" }
            .SelectMany(static folder => Directory.EnumerateFiles(Path.Combine(s_root, folder), "*.cs", SearchOption.AllDirectories))
            .Select(static path => path.Replace('\\', '/')),
    ];

    [Fact]
    public void Files_ThatArchitectureNames_Exist()
    {
        var missing = from Match match in FileName().Matches(s_page)
                      let name = match.Groups["name"].Value
                      where !s_paths.Any(path => path.EndsWith("/" + name, StringComparison.Ordinal))
                      select name;

        Assert.Equal([], missing.Distinct());
    }

    [Fact]
    public void Code_ThatArchitectureNames_Exists()
    {
        var words = new HashSet<string>(
            s_paths.Where(static path => !path.EndsWith("/ArchitecturePageTests.cs", StringComparison.Ordinal))
                .SelectMany(static path => Word().Matches(File.ReadAllText(path))).Select(static match => match.Value),
            StringComparer.Ordinal);
        var missing = from Match match in CodeName().Matches(s_page)
                      from word in match.Groups["name"].Value.Split('.')
                      where word != "cs" && !words.Contains(word)
                      select word;

        Assert.Equal([], missing.Distinct());
    }

    [GeneratedRegex("`(?<name>[A-Za-z/.]+\\.cs)`")]
    private static partial Regex FileName();

    [GeneratedRegex("`(?<name>[A-Z][A-Za-z]+(\\.[A-Z][A-Za-z]+)*)(<T>)?`")]
    private static partial Regex CodeName();

    [GeneratedRegex("[A-Za-z]+")]
    private static partial Regex Word();
}
