using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using FastLLM.Simulator.Answers;
using Xunit;

namespace FastLLM.Tests.Simulators;

public sealed class SchemaValueTests
{
    /// <summary>A schema, and a pattern that the value's JSON matches.</summary>
    public static TheoryData<string, string> Schemas => new()
    {
        { """{"type":"string"}""", "^\"text [0-9a-f]{8}\"$" },
        { """{"type":["null","string"],"maxLength":3}""", "^\"tex\"$" },
        { """{"type":"string","minLength":20}""", "^\"text [0-9a-f]{8}\\.{7}\"$" },
        { """{"type":"string","format":"date"}""", "^\"20[0-2][0-9]-[01][0-9]-[0-3][0-9]\"$" },
        { """{"type":"string","format":"date-time"}""", "^\"20.{8}T.{8}Z\"$" },
        { """{"type":"string","format":"uuid"}""", "^\"[0-9a-f]{8}-0000-4000-8000-[0-9a-f]{12}\"$" },
        { """{"type":"string","pattern":"^[A-Z]{3}-\\d{2,4}(a|b)?$"}""", "^\"[A-Z]{3}-[0-9]{2}a\"$" },
        { """{"type":"string","pattern":"^(?:\\+\\d+ )?[0-9]{3}[.]x$"}""", "^\"\\+[0-9] [0-9]{3}\\.x\"$" },
        { """{"type":"integer","minimum":3,"maximum":3}""", "^3$" },
        { """{"type":"integer","exclusiveMinimum":3,"exclusiveMaximum":5}""", "^4$" },
        { """{"type":"integer","minimum":10,"multipleOf":7,"maximum":20}""", "^14$" },
        { """{"type":"number","minimum":0,"maximum":1}""", "^(0(\\.[0-9]+)?|1)$" },
        { """{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":0.001}""", "^0\\.000[0-9]+$" },
        { """{"type":"number","minimum":-1e300}""", "^[0-9.]+$" },
        { """{"type":"boolean"}""", "^(true|false)$" },
        { """{"type":"null"}""", "^null$" },
        { """{"enum":["a",{"b":1},null]}""", "^(\"a\"|\\{\"b\":1\\}|null)$" },
        { """{"const":[1,{"é":"\""}]}""", "^\\[1,\\{\"é\":\"\\\\\"\"\\}\\]$" },
        { """{"type":"array","items":{"type":"integer","minimum":1,"maximum":9},"minItems":3,"maxItems":3,"uniqueItems":true}""", "^\\[([1-9]),(?!\\1)([1-9]),(?!\\1|\\2)[1-9]\\]$" },
        { """{"type":"array","prefixItems":[{"const":1},{"const":2}],"items":false}""", "^\\[1,2\\]$" },
        { """{"type":"array","maxItems":0}""", "^\\[\\]$" },
        { """{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"}},"required":["a","c"]}""", "^\\{\"a\":[0-9]+,\"b\":(true|false),\"c\":\"c [0-9a-f]{8}\"\\}$" },
        { """{"type":"object","additionalProperties":{"type":"integer"},"minProperties":2}""", "^\\{\"member1\":[0-9]+,\"member2\":[0-9]+\\}$" },
        { """{"type":"object","properties":{}}""", "^\\{\\}$" },
        { """{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"type":"integer"}}}""", "^[0-9]+$" },
        { """{"allOf":[{"type":"object","properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":{"const":2}},"required":["b"]}]}""", "^\\{\"a\":1,\"b\":2\\}$" },
        { """{"anyOf":[{"type":"null"},{"type":"object","properties":{"kind":{"const":"x"}}}]}""", "^\\{\"kind\":\"x\"\\}$" },
        { """{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["next"]}}}""", "^(\\{\"next\":)+null\\}+$" },
        { """{"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}}}""", "^\\{.*\\}$" },
        { "true", "^\"text [0-9a-f]{8}\"$" },
        { "{}", "^\"text [0-9a-f]{8}\"$" },
    };

    [Theory]
    [MemberData(nameof(Schemas))]
    public void Make_FitsTheSchema_AndIsTheSameAgain(string schema, string pattern)
    {
        // Several hashes: what is drawn must not matter.
        for (var i = 0; i < 20; i++)
        {
            BodyHash hash = BodyHash.Of(Encoding.UTF8.GetBytes($"{i}"));
            string value = Make(schema, hash);

            Assert.Matches(new Regex(pattern, RegexOptions.Singleline), value);
            Assert.Equal(value, Make(schema, hash));
        }
    }

    [Theory]
    [InlineData("""{"not":{}}""", "'not' is not supported")]
    [InlineData("""{"type":"strange"}""", "'strange' is not a type")]
    [InlineData("""{"type":"integer","minimum":3,"maximum":2}""", "no number fits its bounds")]
    [InlineData("""{"type":"string","minLength":3,"maxLength":2}""", "no text has 3 characters")]
    [InlineData("""{"type":"string","pattern":"^(?=x)y$"}""", "knows no text for the pattern")]
    [InlineData("""{"type":"string","pattern":"("}""", "pattern cannot be read")]
    [InlineData("""{"$ref":"#/$defs/none"}""", "leads nowhere")]
    [InlineData("""{"$ref":"https://example.com"}""", "not within the schema")]
    [InlineData("""{"$ref":"#"}""", "leads back to itself")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}""", "more than 24 levels")]
    [InlineData("""{"type":"array","items":{"const":1},"minItems":2,"uniqueItems":true}""", "different items")]
    [InlineData("""{"type":"object","required":["a"],"additionalProperties":false}""", "requires 'a'")]
    [InlineData("""{"type":"array","minItems":1000000}""", "1000000 items")]
    [InlineData("false", "allows no value")]
    public void Make_Impossible_SaysWhy(string schema, string reason) =>
        Assert.Contains(reason, Assert.Throws<SchemaException>(() => Make(schema, default)).Message, StringComparison.Ordinal);

    private static string Make(string schema, BodyHash hash) =>
        Encoding.UTF8.GetString(SchemaValue.Make(JsonDocument.Parse(schema).RootElement, hash, 0));
}
