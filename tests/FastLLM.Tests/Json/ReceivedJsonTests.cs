using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Json;

public sealed class ReceivedJsonTests
{
    public static TheoryData<byte[], string> Strings => new()
    {
        { "\"plain\""u8.ToArray(), "plain" },
        { "\"\\u00e9 \\ud83d\\ude00 \\n\\\"\""u8.ToArray(), "é 😀 \n\"" },
        { "\"a\\ud83d\\n\\t\\\"\\\\\\/\\u00e9z\""u8.ToArray(), "a\uFFFD\n\t\"\\/éz" },
        { "\"\\ude00\\ud83d\""u8.ToArray(), "\uFFFD\uFFFD" },
        { "\"\\ud83d\\ud83d\\ude00\""u8.ToArray(), "\uFFFD😀" },
        { "\"\\\\ud83d\\\\\\uD83D\""u8.ToArray(), "\\ud83d\\\uFFFD" },
        { [(byte)'"', (byte)'a', 0xFF, (byte)'\\', (byte)'n', 0xC3, (byte)'"'], "a\uFFFD\n\uFFFD" },
        { [(byte)'"', 0xED, 0xA0, 0xBD, .. "\\ud83d"u8, (byte)'"'], "\uFFFD\uFFFD\uFFFD\uFFFD" },
    };

    [Theory]
    [MemberData(nameof(Strings))]
    public void Text_AnyString_ReplacesWhatUtf8CannotCarry(byte[] json, string expected)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        var reader = new Utf8JsonReader(json);
        reader.Read();

        Assert.Equal(expected, document.RootElement.Text());
        Assert.Equal(expected, reader.Text());
        Assert.Equal(expected, JsonSerializer.Deserialize<string>(document.RootElement.RawText()));
    }

    [Theory]
    [MemberData(nameof(Strings))]
    public void Member_BesideAnyName_IsFound(byte[] name, string expected)
    {
        byte[] json = [(byte)'{', .. name, .. ":1,\"x\":2,\"x\":3,"u8, .. name, .. ":4}"u8];
        using JsonDocument document = JsonDocument.Parse(json);

        Assert.Equal(3, document.RootElement.Whole("x")); // the last of duplicates
        Assert.Null(document.RootElement.Whole("y"));
        Assert.Equal(expected, document.RootElement.EnumerateObject().First().NameText());
    }

    [Theory]
    [InlineData("12", 12L)]
    [InlineData("12.0", 12L)]
    [InlineData("1e3", 1000L)]
    [InlineData("-0.5e1", -5L)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("12.5", null)]
    [InlineData("\"12\"", null)]
    [InlineData("null", null)]
    [InlineData("[1]", null)]
    [InlineData("1e999", null)]
    [InlineData("9223372036854775808", null)]
    public void Whole_ReadsNumbersByValue(string json, long? expected)
    {
        using JsonDocument document = JsonDocument.Parse($"{{\"n\":{json}}}");
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json));
        reader.Read();

        Assert.Equal(expected, document.RootElement.Whole("n"));
        Assert.Equal(expected, reader.TryGetWhole(out long number) ? number : null);
    }

    [Fact]
    public void WellFormed_IsNotCopied()
    {
        byte[] json = "{\"a\":\"\\ud83d\\ude00 é \\\\ud83d\", \"b\" : 1.0}"u8.ToArray();

        Assert.True(WellFormedJson.Of(json).Overlaps(json, out int offset) && offset == 0);
    }

    [Fact]
    public void AnyBytesThatAReaderAccepts_AreReadWithoutException()
    {
        byte[][] pieces =
        [
            [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xF0, 0x9F], "\\ud83d"u8.ToArray(), "\\ude00"u8.ToArray(), "\\uD"u8.ToArray(), "\\\\"u8.ToArray(), "\\n"u8.ToArray(),
            "u"u8.ToArray(), "d83d"u8.ToArray(), "é"u8.ToArray(), "😀"u8.ToArray(), "\\u0041"u8.ToArray(), "{"u8.ToArray(), "\":\""u8.ToArray(), "\",\""u8.ToArray(),
        ];
        Gen<byte[]> texts = Gen.Elements(pieces).ListOf().Select(list => list.SelectMany(piece => piece).ToArray());
        Prop.ForAll(texts.ToArbitrary(), static inner =>
        {
            byte[] json = [.. "{\""u8, .. inner, .. "\":\""u8, .. inner, .. "\"}"u8];
            JsonDocument document;
            try
            {
                document = JsonDocument.Parse(json);
            }
            catch (JsonException)
            {
                return;
            }

            using (document)
            {
                JsonProperty[] members = [.. document.RootElement.EnumerateObject()];
                Assert.All(members, member => Assert.True(IsWellFormed(member.NameText()) && IsWellFormed(document.RootElement.Text(member.NameText()) ?? "")));

                byte[] rewritten = document.RootElement.RawBytes().ToArray();
                Assert.True(System.Text.Unicode.Utf8.IsValid(rewritten));
                using JsonDocument again = JsonDocument.Parse(rewritten);
                Assert.Equal(members.Select(member => member.NameText()), again.RootElement.EnumerateObject().Select(member => member.Name));
            }
        }).QuickCheckThrowOnFailure();
    }

    private static bool IsWellFormed(string text) => text == Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
