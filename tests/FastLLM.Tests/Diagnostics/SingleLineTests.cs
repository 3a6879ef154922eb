using FastLLM.Diagnostics;
using Xunit;

namespace FastLLM.Tests.Diagnostics;

public sealed class SingleLineTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a\r\nrows: 5\u2028b\u2029c\u0085d\u000Be", "a  rows: 5 b c d e")]
    [InlineData("\u001b[2K", " [2K")]
    public void Of_LineBreaksAndControls_BecomeBlanks(string text, string line) => Assert.Equal(line, SingleLine.Of(text));
}
