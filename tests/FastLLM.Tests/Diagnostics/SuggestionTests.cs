using FastLLM.Diagnostics;
using Xunit;

namespace FastLLM.Tests.Diagnostics;

public sealed class SuggestionTests
{
    private static readonly string[] s_known = ["--model", "--max-cost", "--max-errors", "--samples", "--sample", "Review Text", "id"];

    [Theory]
    [InlineData("--modle", "--model")]
    [InlineData("--maxcost", "--max-cost")]
    [InlineData("--max_cost", "--max-cost")]
    [InlineData("review_text", "Review Text")]
    [InlineData("Reviw Text", "Review Text")]
    [InlineData("--sampls", "--samples")]
    [InlineData("ID", "id")]
    [InlineData("ids", "id")]
    [InlineData("--nonsense", null)]
    [InlineData("x", null)]
    [InlineData("", null)]
    public void For_FindsTheMostSimilarName(string word, string? expected) => Assert.Equal(expected, Suggestion.For(word, s_known));

    [Theory]
    [InlineData("plain-1.csv", false, "plain-1.csv")]
    [InlineData("two words", false, "'two words'")]
    [InlineData("it's $5", false, "'it'\\''s $5'")]
    [InlineData("it's $5", true, "'it''s $5'")]
    [InlineData("@file", false, "@file")]
    [InlineData("@file", true, "'@file'")]
    [InlineData("", false, "''")]
    public void Quote_IsReadBackByTheShell(string word, bool isPowerShell, string expected) =>
        Assert.Equal(expected, ShellWord.Quote(word, isPowerShell));
}
