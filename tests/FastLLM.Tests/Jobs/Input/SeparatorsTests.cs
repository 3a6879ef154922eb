using System.Text;
using FastLLM.Jobs.Input;
using Xunit;

namespace FastLLM.Tests.Jobs.Input;

/// <summary>The separator is the one that every line has as often as the first.</summary>
public sealed class SeparatorsTests
{
    [Theory]
    [InlineData("a,b\n1,2\n", InputFormat.Csv, ',', null)]
    [InlineData("a;b\n1,5;2\n", InputFormat.Csv, ';', null)]
    [InlineData("a;b, c\n1;2\n3;4\n", InputFormat.Csv, ';', null)]
    [InlineData("a\tb\n1,5\t2\n", InputFormat.Csv, '\t', "tabs")]
    [InlineData("a|b|c\n1|2|3\n", InputFormat.Csv, '|', "vertical bars")]
    [InlineData("a,b\n\"x;y\n;z\",2\n", InputFormat.Csv, ',', null)]
    [InlineData("\"a,1\";\"b\"\"\"\n1;2\n", InputFormat.Csv, ';', null)]
    [InlineData("text\nhello, you\n", InputFormat.Csv, ',', null)]
    [InlineData("", InputFormat.Csv, ',', null)]
    [InlineData("a,b\n1\n2;3\n", InputFormat.Csv, ',', null)]
    [InlineData("a,b\tc\n1\t2\n", InputFormat.Tsv, '\t', null)]
    [InlineData("a,b\n1,2\n", InputFormat.Tsv, ',', "commas")]
    [InlineData("a\n1\n", InputFormat.Tsv, '\t', null)]
    [InlineData("a,b\r\n\r\n1,2\r\n3", InputFormat.Auto, ',', null)]
    public void Of_Begin_FindsTheSeparator(string begin, InputFormat format, char separator, string? says)
    {
        byte found = Separators.Of(Encoding.UTF8.GetBytes(begin), format);

        Assert.Equal(separator, (char)found);
        Assert.Equal(says is not null, Separators.NoticeOf(found, format)?.Contains(says ?? "", StringComparison.Ordinal) ?? false);
    }
}
