using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class TerminalTextTests
{
    [Theory]
    [InlineData(null, "")]
    [InlineData("plain é 漢 😀", "plain é 漢 😀")]
    [InlineData("a\u001b[31mred\u001b]0;title\u0007", "a[31mred]0;title")]
    [InlineData("c1 \u009b31m\u0085 x\u007f", "c1 31m x")]
    [InlineData("one\r\n\ttwo\u2028three", "one two three")]
    [InlineData("user\u202Etxt.exe\u2066", "usertxt.exe")]
    [InlineData("back\b\bspace\0", "backspace")]
    [InlineData("tag\U000E0041\U000E0001ged 😀\U000E0100", "tagged 😀\U000E0100")]
    public void Clean_LeavesNothingThatATerminalObeys(string? text, string clean) => Assert.Equal(clean, TerminalText.Clean(text));

    [Fact]
    public void Clean_EveryControlCharacterIsGone()
    {
        string all = new([.. Enumerable.Range(0, 0x300).Select(c => (char)c)]);

        Assert.DoesNotContain(TerminalText.Clean(all), char.IsControl);
    }

    [Fact]
    public void Clean_CutsWithoutHalvingACharacter()
    {
        Assert.Equal("abc…", TerminalText.Clean("abcdefgh", 4));
        Assert.Equal("ab…", TerminalText.Clean("ab😀😀", 4));
        Assert.Equal("abc…", TerminalText.Clean("\u001babcdefgh", 4));
    }
}
