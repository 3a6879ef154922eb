using System.Text.Json;
using Xunit;

namespace FastLLM.Tests.Jobs.Answers;

/// <summary>Labels, fields and schemas: what they make of a request, and which answers pass.</summary>
public sealed class AnswerFormTests
{
    private const string Strict = """{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}""";

    [Theory]
    [InlineData("good", "good")]
    [InlineData(" Good.\n", "good")]
    [InlineData("\"bad\"", "bad")]
    [InlineData("**not sure**", "not sure")]
    [InlineData("```\nbad\n```", "bad")]
    [InlineData("""{"label":"good"}""", "good")]
    [InlineData("```json\n{\"label\": \"Good\"}\n```", "good")]
    [InlineData("The label is good", null)]
    [InlineData("good, bad", null)]
    [InlineData("""{"label":"great"}""", null)]
    [InlineData("""{"label":"good" """, null)]
    public void Labels_AreReadLeniently_ButNotOutOfSentences(string text, string? label)
    {
        AnswerForm form = AnswerForm.OfLabels("good", "bad", "not sure");

        Assert.Equal(label is null, form.Check.Check(Completion(text)).Error is not null);
        using JsonDocument? read = form.Read(text);
        Assert.Equal(label, read?.RootElement.GetProperty("label").GetString());
    }

    [Theory]
    [InlineData("good", "two labels")]
    [InlineData("good,,bad", "empty")]
    [InlineData("good,Good", "twice")]
    public void OfLabels_BadList_IsRefused(string labels, string message)
    {
        var fault = Assert.Throws<ArgumentException>(() => AnswerForm.OfLabels(labels.Split(',')));

        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a:string", """{"a":{"type":"string"}}""")]
    [InlineData("a:number?, b:boolean", """{"a":{"type":["number","null"]},"b":{"type":"boolean"}}""")]
    [InlineData("a:x|y", """{"a":{"type":"string","enum":["x","y"]}}""")]
    [InlineData("a:x|y?", """{"a":{"type":["string","null"],"enum":["x","y",null]}}""")]
    [InlineData("a:integer[]", """{"a":{"type":"array","items":{"type":"integer"}}}""")]
    [InlineData("a:x|y[]", """{"a":{"type":"array","items":{"type":"string","enum":["x","y"]}}}""")]
    public void OfFields_Type_BecomesASchema(string fields, string properties)
    {
        AnswerForm form = AnswerForm.OfFields(fields);

        using JsonDocument schema = JsonDocument.Parse(form.Schema);
        Assert.Equal(properties, schema.RootElement.GetProperty("properties").GetRawText());
        Assert.True(form.IsStrict);
        Assert.Equal(schema.RootElement.GetProperty("required").EnumerateArray().Select(name => name.GetString()), form.Columns);
    }

    [Theory]
    [InlineData("", "no field")]
    [InlineData("a", "no name or no type")]
    [InlineData("a:", "no name or no type")]
    [InlineData("a:text", "unknown type")]
    [InlineData("a:string,a:number", "twice")]
    [InlineData("a:x|x", "one twice")]
    public void OfFields_BadList_IsRefused(string fields, string message)
    {
        var fault = Assert.Throws<ArgumentException>(() => AnswerForm.OfFields(fields));

        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"n":1}""", null)]
    [InlineData("```json\n{\"n\":1}\n```", null)]
    [InlineData("""{"n":"1"}""", "/n: Value is \"string\" but should be \"integer\"")]
    [InlineData("""{}""", "the answer: Required properties")]
    [InlineData("""{"n":1,"m":2}""", "/m")]
    [InlineData("""Sure: {"n":1}""", "not JSON, or there is text around it")]
    [InlineData("""{"n":1,"n":2}""", "not JSON")]
    public void Schema_Answer_PassesOrNamesThePlace(string text, string? error)
    {
        string? found = AnswerForm.OfSchema(Strict).Check.Check(Completion(text)).Error;

        Assert.Equal(error is null, found is null);
        Assert.Contains(error ?? "", found ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("""{"type":"objekt"}""", "did you mean \"object\"?")]
    [InlineData("""{"type":"object","propertys":{}}""", "#: \"propertys\" is not a keyword")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"https://x.test/s"}}}""", "#/properties/a: \"$ref\" refers to another document")]
    [InlineData("""{"type":"object","properties":{"a":{"pattern":"("}}}""", "not valid")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}}}""", "refers to #/$defs/b, which is not in the schema")]
    [InlineData("""{"type":"object","allOf":[{"$ref":"#"}]}""", "# applies itself to the same value without end")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"not":{"anyOf":[{"$ref":"#/$defs/b"}]}}}}""", "applies itself to the same value")]
    public void OfSchema_BadSchema_IsRefusedBeforeTheFirstSend(string schema, string message)
    {
        var fault = Assert.Throws<ArgumentException>(() => AnswerForm.OfSchema(schema));

        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfSchema_AlternativesOfAlternatives_AreRefusedBeforeTheyAreChecked()
    {
        IEnumerable<string> definitions = Enumerable.Range(0, 40)
            .Select(i => $$$"""x{{{i}}}":{"anyOf":[{"$ref":"#/$defs/x{{{i + 1}}}"},{"$ref":"#/$defs/x{{{i + 1}}}"}]}""");
        string schema = $$$$"""{"$ref":"#/$defs/x0","$defs":{"{{{{string.Join(",\"", definitions)}}}},"x40":{"type":"object"}}}""";

        Assert.Contains("more than 1,000,000 schemas", Assert.Throws<ArgumentException>(() => AnswerForm.OfSchema(schema)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfSchema_RecursiveTree_IsNoEndlessSchema()
    {
        AnswerForm form = AnswerForm.OfSchema(
            """{"type":"object","properties":{"child":{"$ref":"#"},"n":{"anyOf":[{"type":"null"},{"$ref":"#/properties/child"}]}}}""");

        Assert.Null(form.Check.Check(Completion("""{"child":{"child":{}},"n":null}""")).Error);
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":{"type":"array","uniqueItems":true,"items":{"type":"string"}}},"required":["a"],"additionalProperties":false}""",
        "#/properties/a: uniqueItems")]
    [InlineData("""{"type":"object","properties":{"a":{}},"required":["a"]}""", "#: an object without \"additionalProperties\": false")]
    [InlineData("""{"type":"object","properties":{"a":{}},"additionalProperties":false}""", "#: members that are not required")]
    [InlineData("""{"type":"object","anyOf":[],"properties":{},"additionalProperties":false}""", "#: anyOf at the root")]
    public void OfSchema_NotForStrictMode_SaysWhy(string schema, string reason)
    {
        string notice = FastLLM.Jobs.Answers.SchemaRules.Of(schema).Notice!;

        Assert.Contains(reason, notice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("draft-07", """{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"a":{"type":"string"}},"type":"object","properties":{"a":{"$ref":"#/definitions/a"}}}""")]
    [InlineData("2020-12", """{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://x.test/s","$defs":{"a":{"type":"string"}},"type":"object","properties":{"a":{"$ref":"#/$defs/a"}}}""")]
    public void OfSchema_Draft_IsChecked(string draft, string schema)
    {
        for (var i = 0; i < 2; i++) // the same $id twice in one process
        {
            AnswerForm form = AnswerForm.OfSchema(schema);

            Assert.Equal((null, true, draft), (form.Check.Check(Completion("""{"a":"x"}""")).Error, form.Check.Check(Completion("""{"a":1}""")).Error is not null, draft));
        }
    }

    [Fact]
    public void ParameterOf_RootThatIsNoObject_NeedsThePrompt()
    {
        AnswerForm list = AnswerForm.OfSchema("""{"type":"array","items":{"type":"string"}}""");
        var template = new RowTemplate { Prompt = "{{text}}", System = "Be brief." };

        var fault = Assert.Throws<ArgumentException>(() => list.ParameterOf(template));

        Assert.Contains("--schema-in-prompt", fault.Message, StringComparison.Ordinal);
        Assert.Null(list.InPrompt().ParameterOf(template));
        Assert.StartsWith("Be brief.\n\nThe answer must be JSON that fits this JSON Schema: {", list.InPrompt().SystemOf(template), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Endpoints.ChatCompletions, "response_format")]
    [InlineData(Endpoints.Responses, "text")]
    public void ParameterOf_Endpoint_DecidesTheMember(string endpoint, string member)
    {
        (string name, string json) = AnswerForm.OfSchema(Strict).ParameterOf(new RowTemplate { Prompt = "?", Endpoint = endpoint })!.Value;

        using JsonDocument format = JsonDocument.Parse(json);
        Assert.Equal(member, name);
        Assert.Contains(Strict, json, StringComparison.Ordinal);
        Assert.Contains("\"strict\":true", json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Endpoints.Embeddings, null)]
    [InlineData(Endpoints.Completions, null)]
    [InlineData(Endpoints.ChatCompletions, "response_format")]
    public void ParameterOf_WhatDoesNotGoTogether_IsRefused(string endpoint, string? parameter)
    {
        var template = new RowTemplate { Prompt = "?", Endpoint = endpoint };
        if (parameter is not null)
        {
            template.Parameters[parameter] = "1";
        }

        Assert.Throws<ArgumentException>(() => AnswerForm.OfSchema(Strict).ParameterOf(template));
    }

    private static LlmResponse Completion(string text) => FastLLM.Tests.Checks.ScriptedAnswers.Completion(text);
}
