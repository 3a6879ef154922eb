using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FastLLM.Json;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Json;

public sealed class JsonMinifierTests
{
    [Theory]
    [InlineData("{ \"a\" : 1 }", "{\"a\":1}")]
    [InlineData("\r\n\t {\n  \"a\": [ 1 , 2.50e+1,\ttrue , null ]\r\n}\n", "{\"a\":[1,2.50e+1,true,null]}")]
    [InlineData("{\"a b\" : \" x \\\" , { \\\\\" , \"c\" : \"\\\\\\\" \"}", "{\"a b\":\" x \\\" , { \\\\\",\"c\":\"\\\\\\\" \"}")]
    [InlineData("\"\\u0041 é 😀 \\ud83d\"", "\"\\u0041 é 😀 \\ud83d\"")]
    [InlineData("{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":1,\"a\":2,\"b\":3}")]
    [InlineData("  ", "")]
    [InlineData("", "")]
    [InlineData("{ \"cut", "{\"cut")]
    [InlineData("{ \"cut\\", "{\"cut\\")]
    public void Write_WhiteSpaceBetweenTokens_IsRemoved(string json, string expected)
    {
        Assert.Equal(expected, Minify(json));
    }

    [Fact]
    public void Write_AnyJson_IsEqualOnOneLineAndIdempotent()
    {
        Gen<string> texts = ArbMap.Default.GeneratorFor<string>().Select(text => (text ?? "null") + "\" \\ \n { : , ");
        Gen<string> documents =
            from values in texts.ListOf()
            from numbers in ArbMap.Default.GeneratorFor<int>().ListOf()
            select new JsonObject
            {
                ["texts and \"names\""] = new JsonArray([.. values.Select(v => (JsonNode)Valid(v))]),
                ["numbers"] = new JsonObject([.. numbers.Select((n, i) => KeyValuePair.Create<string, JsonNode?>($" {i} ", n))]),
            }.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\r\n", IndentCharacter = '\t' });

        Prop.ForAll(documents.ToArbitrary(), pretty =>
        {
            string minified = Minify(pretty);
            return JsonNode.DeepEquals(JsonNode.Parse(pretty), JsonNode.Parse(minified))
                && !minified.Contains('\n', StringComparison.Ordinal) && !minified.Contains('\r', StringComparison.Ordinal)
                && Minify(minified) == minified
                && minified == JsonNode.Parse(pretty)!.ToJsonString();
        }).QuickCheckThrowOnFailure();
    }

    private static string Valid(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static string Minify(string json)
    {
        var output = new ArrayBufferWriter<byte>();
        JsonMinifier.Write(Encoding.UTF8.GetBytes(json), output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
