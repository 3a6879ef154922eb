using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Keys;
using Xunit;

namespace FastLLM.Tests.Keys;

public sealed class CanonicalJsonTests
{
    [Theory]
    [InlineData("{}", "{}")]
    [InlineData(" \t\r\n{ } \n", "{}")]
    [InlineData("\uFEFF{}", "{}")]
    [InlineData("""{"b":[1, 2 ,{"d":4,"c":3}],"a":{}}""", """{"a":{},"b":[1,2,{"c":3,"d":4}]}""")]
    [InlineData("""{"a":"","b":[],"c":{},"d":[[],[[]],""]}""", """{"a":"","b":[],"c":{},"d":[[],[[]],""]}""")]
    [InlineData("""{"a":[true,false,null]}""", """{"a":[true,false,null]}""")]
    public void Write_AnyDepth_SortsMembersAndDropsWhiteSpace(string body, string canonical) => Assert.Equal(canonical, Canonical(body));

    [Theory]
    [InlineData("""{"a":null}""", "{}")]
    [InlineData("""{"b":null,"a":1,"c":null}""", """{"a":1}""")]
    [InlineData("""{"stream":true,"stream_options":{"include_usage":true}}""", "{}")]
    [InlineData("""{"\u0073tream":true,"z":1,"Stream":2,"streams":3}""", """{"Stream":2,"streams":3,"z":1}""")]
    [InlineData("""{"a":{"b":null,"stream":true},"c":[null,{"stream_options":1}]}""", """{"a":{"b":null,"stream":true},"c":[null,{"stream_options":1}]}""")]
    [InlineData("""{"z":{"y":1,"x":2},"stream":{"y":1,"x":2},"a":null,"m":[3]}""", """{"m":[3],"z":{"x":2,"y":1}}""")]
    public void Write_TopLevelNullsAndStreaming_AreLeftOut(string body, string canonical) => Assert.Equal(canonical, Canonical(body));

    [Theory]
    [InlineData("""{"s":"\u0000\u0008\u0009\u000a\u000B\u000c\u000d\u001F"}""", """{"s":"\u0000\b\t\n\u000b\f\r\u001f"}""")]
    [InlineData("""{"s":"\u0022\u005C\/\u002f\" \\"}""", """{"s":"\"\\//\" \\"}""")]
    [InlineData("""{"s":"\u00e9\u20AC\ud83d\uDE00\u2028<"}""", "{\"s\":\"é€😀\u2028<\"}")]
    [InlineData("""{"s":"\n\\u00e9\\\u00e9\\\\"}""", """{"s":"\n\\u00e9\\é\\\\"}""")]
    [InlineData("""{"s":"\\"}""", """{"s":"\\"}""")]
    public void Write_KeepsOnlyRequiredEscapes(string body, string canonical) => Assert.Equal(canonical, Canonical(body));

    [Fact]
    public void Write_SortsByUtf8BytesOfTheUnescapedNames()
    {
        // U+FFFF sorts behind U+1F600 in UTF-16 but before it in UTF-8; a quotation mark is 0x22 though it is written with 0x5C.
        string[] names = ["", "\u0001", "\n", "!", "\"", "\"a", "#", "A", "[", "\\", "]", "a", "a\n", "a b", "ab", "\u007f", "é", "\uffff", "😀"];
        var random = new Random(1);
        for (int i = 0; i < 200; i++)
        {
            string[] shuffled = [.. names];
            random.Shuffle(shuffled);

            string body = "{" + string.Join(',', shuffled.Select(name => $"{JsonSerializer.Serialize(name)}:1")) + "}";

            using var canonical = JsonDocument.Parse(Canonical(body));
            Assert.Equal(names, canonical.RootElement.EnumerateObject().Select(member => member.Name));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(33)]
    [InlineData(1000)]
    public void Write_SortsObjectsOfAnySize(int count)
    {
        string[] members = [.. Enumerable.Range(0, count).Select(i => $"\"{i:d5}\":\"{new string('x', i % 7)}\"")];
        string sorted = "{" + string.Join(',', members) + "}";
        Assert.Equal(sorted, Canonical(sorted));

        Array.Reverse(members);
        Assert.Equal(sorted, Canonical("{" + string.Join(',', members) + "}"));

        new Random(count).Shuffle(members);
        Assert.Equal(sorted, Canonical("{" + string.Join(',', members) + "}"));
        Assert.Throws<JsonException>(() => Canonical("{" + string.Join(',', members.Append(members[count / 2])) + "}"));
    }

    [Theory]
    [InlineData("""{"a":1,"a":2}""", 7)]
    [InlineData("""{"a":1,"b":1,"\u0061":2}""", 13)]
    [InlineData("""{"b":1,"a":1,"b":2}""", 13)]
    [InlineData("""{"x":[{"a":1,"a":1}]}""", 13)]
    [InlineData("""{"a":null,"a":null}""", 10)]
    [InlineData("""{"a":1,"a":null}""", 7)]
    [InlineData("""{"stream":true,"stream":true}""", 15)]
    [InlineData("""{"stream_options":{"a":1,"a":1}}""", 25)]
    [InlineData("""{"\n":1,"\u000a":2}""", 8)]
    [InlineData("\uFEFF{\"é\":1,\"\\u00e9\":2}", 11)]
    public void Write_DuplicateMember_ThrowsWithOffset(string body, int offset)
    {
        JsonException error = Assert.Throws<JsonException>(() => Canonical(body));

        Assert.Contains("second member", error.Message, StringComparison.Ordinal);
        Assert.Contains($"byte {offset}:", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_SameNameInSeveralObjects_IsAccepted() =>
        Assert.Equal("""{"a":[{"a":1},{"a":{"a":2}}]}""", Canonical("""{"a":[{"a":1},{"a":{"a":2}}]}"""));

    [Theory]
    [InlineData("", 0)]
    [InlineData("  ", 2)]
    [InlineData("\uFEFF", 3)]
    [InlineData("{", 1)]
    [InlineData("{\"a\":1", 6)]
    [InlineData("{\"a\":1,}", 7)]
    [InlineData("{\"a\":[1,]}", 8)]
    [InlineData("{\"a\":1}{}", 7)]
    [InlineData("{\"a\":1} x", 8)]
    [InlineData("{}\uFEFF", 2)]
    [InlineData("{}\0", 2)]
    [InlineData("// no\n{}", 0)]
    [InlineData("{/* no */}", 1)]
    [InlineData("{'a':1}", 1)]
    [InlineData("{a:1}", 1)]
    [InlineData("{\"a\":\n\n  NaN}", 9)]
    [InlineData("\uFEFF{\"a\":\n -}", 11)]
    [InlineData("{\"a\":+1}", 5)]
    [InlineData("{\"a\":01}", 6)]
    [InlineData("{\"a\":\"\t\"}", 6)]
    [InlineData("{\"a\":\"\\x\"}", 7)]
    public void Write_InvalidJson_ThrowsWithOffset(string body, int offset)
    {
        JsonException error = Assert.Throws<JsonException>(() => Canonical(body));

        Assert.Contains($"at byte {offset}:", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]", "array")]
    [InlineData("\"{}\"", "string")]
    [InlineData("1", "number")]
    [InlineData("null", "null")]
    [InlineData("true", "boolean")]
    public void Write_NotAnObject_ThrowsWithItsKind(string body, string found)
    {
        JsonException error = Assert.Throws<JsonException>(() => Canonical(body));

        Assert.Contains($"JSON {found}, at byte 0", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a":"x\ud800"}""", 7)]
    [InlineData("""{"a":"\ud800\ud800"}""", 6)]
    [InlineData("""{"a":"\ud800\n"}""", 6)]
    [InlineData("""{"a":"\uDC00"}""", 6)]
    [InlineData("""{"a":"\ude00\ud83d"}""", 6)]
    [InlineData("""{"\ud83d":1}""", 2)]
    [InlineData("""{"a":"\ud83d\ude00\ud83d"}""", 18)]
    public void Write_LoneSurrogate_ThrowsWithOffset(string body, int offset)
    {
        JsonException error = Assert.Throws<JsonException>(() => Canonical(body));

        Assert.Contains("surrogate", error.Message, StringComparison.Ordinal);
        Assert.Contains($"at byte {offset}:", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("80")]
    [InlineData("C3")]
    [InlineData("C328")]
    [InlineData("C080")]
    [InlineData("EDA080")]
    [InlineData("EDA0BDEDB880")]
    [InlineData("F4908080")]
    [InlineData("FF")]
    public void Write_InvalidUtf8_ThrowsWithOffset(string hex)
    {
        byte[] bad = Convert.FromHexString(hex);
        byte[][] bodies = [[.. "{\"é\":\"x"u8, .. bad, .. "\"}"u8], [.. "{\"éx\":1,\""u8, .. bad, .. "\":1}"u8]];

        Assert.Contains("UTF-8 at byte 8.", Assert.Throws<JsonException>(() => Canonical(bodies[0])).Message, StringComparison.Ordinal);
        Assert.Contains("UTF-8 at byte 10.", Assert.Throws<JsonException>(() => Canonical(bodies[1])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_NestedDeeperThan256Levels_Throws()
    {
        string Nested(int levels, string open, string close) => "{\"a\":" + string.Concat(Enumerable.Repeat(open, levels - 1)) + "1" + string.Concat(Enumerable.Repeat(close, levels - 1)) + "}";

        Assert.Equal(Nested(256, "[", "]"), Canonical(Nested(256, "[", "]")));
        Assert.Equal(Nested(256, "{\"a\":", "}"), Canonical(Nested(256, "{\"a\":", "}")));
        Assert.Contains("256", Assert.Throws<JsonException>(() => Canonical(Nested(257, "[", "]"))).Message, StringComparison.Ordinal);
        Assert.Throws<JsonException>(() => Canonical(Nested(257, "{\"a\":", "}")));
        Assert.Throws<JsonException>(() => Canonical(Nested(100_000, "[", "]")));
    }

    [Fact]
    public void Write_CanonicalBody_IsUnchanged()
    {
        string once = Canonical("""{"z":[1e400,-0.10,{"\u0022":"\u00e9\u0001","a":null}],"a":"\/","n":123456789012345678901234567890123}""");

        Assert.Equal(once, Canonical(once));
    }

    internal static string Canonical(string body) => Canonical(Encoding.UTF8.GetBytes(body));

    internal static string Canonical(byte[] body)
    {
        var output = new ByteBuffer();
        new CanonicalJson().Write(output, body);
        return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(output.Written);
    }
}
