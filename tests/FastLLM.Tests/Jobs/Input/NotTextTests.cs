using System.Text;
using FastLLM.Jobs.Input;
using Xunit;

namespace FastLLM.Tests.Jobs.Input;

public sealed class NotTextTests
{
    [Theory]
    [InlineData("%PDF-1.7\n", "a PDF document")]
    [InlineData("\u0089PNG\r\n\u001a\n\0\0\0\rIHDR", "an image")]
    [InlineData("GIF89a\u0001\0", "an image")]
    [InlineData("\n<!DOCTYPE HTML><html>", "a web page")]
    [InlineData("<html lang=\"en\">", "a web page")]
    [InlineData("\u007fELF\u0002\u0001\u0001\0\0\0\0\u00ff\u00fe rest", "is not text")]
    [InlineData("i\0d\0,\0t\0e\0x\0t\0\n\0", "UTF-16 without a BOM")]
    [InlineData("\0i\0d\0,\0t\0e\0x\0t\0\n", "UTF-16 without a BOM")]
    [InlineData("\u00ff\u00fe\0\0i\0\0\0", "UTF-32")]
    [InlineData("id,text\r1,a\r2,b\r", "CR alone")]
    [InlineData("id,text\r1,a\r2,b\r\n", "CR alone")] // with an LF that an editor added
    [InlineData("\"id\",\"te\rxt\"\r1,a\n", "CR alone")]
    public void Describe_OtherBytes_SaysWhatTheyAre(string bytes, string part) =>
        Assert.Contains(part, NotText.Describe(Encoding.Latin1.GetBytes(bytes)), StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData("id,text\n1,a\0b\n")] // a stray NUL
    [InlineData("id,text\r\n1,a\r\n")]
    [InlineData("id,text\r")]
    [InlineData("id,\"te\rxt\"\n1,a\rb\n")]
    [InlineData("id,text\r\r\n1,a\r\r\n")] // CRLF, converted twice
    [InlineData("[\r{\"a\":1}\r]")]
    [InlineData("\u00ff\u00fei\0d\0\n\0")] // UTF-16 with a BOM
    [InlineData("id,te\u00e4xt\n")] // not UTF-8: reported with its line
    public void Describe_Text_ReturnsNull(string bytes) => Assert.Null(NotText.Describe(Encoding.Latin1.GetBytes(bytes)));
}
