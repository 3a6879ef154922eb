using System.Text;
using FastLLM.Providers;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>The usage of a stream is the largest that it states, and none if text follows the last one.</summary>
public sealed class StreamedUsageTests
{
    private const string First = """{"choices":[{"index":0,"delta":{"role":"assistant","content":"x x x"}}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}""";
    private const string More = """{"choices":[{"index":0,"delta":{"content":" y"}}],"usage":{"prompt_tokens":9,"completion_tokens":20,"total_tokens":29}}""";
    private const string Text = """{"choices":[{"index":0,"delta":{"content":" z"}}],"usage":null}""";
    private const string Stop = """{"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":null},"finish_reason":"stop"}]}""";
    private const string Counted = """{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":25,"total_tokens":34}}""";

    public static TheoryData<string, string[], long, long> Stated => new()
    {
        { "with every chunk", [First, More, Stop], 9, 20 },
        { "with every chunk, and at the end", [First, More, Stop, Counted], 9, 25 },
        { "at the end", [Text, Stop, Counted], 9, 25 },
        { "first and at the end", [First, Text, Stop, Counted], 9, 25 },
        { "zero at the end", [First, More, Stop, """{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"""], 9, 20 },
        { "smaller at the end", [First, More, Stop, """{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}"""], 9, 20 },
        { "in parts", ["""{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}""", Text, Stop, """{"choices":[],"usage":{"completion_tokens":20}}"""], 9, 20 },
        { "of Groq", [Text, """{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":9,"completion_tokens":20}}}"""], 9, 20 },
        { "the same with the last text", [First, More, More, Stop], 9, 20 },
        { "for the prompt, then for all", ["""{"usage":{"prompt_tokens":9}}""", Text, """{"choices":[{"index":0,"delta":{"content":" y"},"finish_reason":"stop"}],"usage":{"output_tokens":20}}"""], 9, 20 },
    };

    public static TheoryData<string, string[]> Outdated => new()
    {
        { "of each chunk by itself", [First, First, First, First, Stop] },
        { "of each chunk by itself, many tokens", [More, More, More, Stop] },
        { "of each chunk by itself, and of the last", [First, First, First, First, Stop, """{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}"""] },
        { "text after the only one", [First, Text, Stop] },
        { "text after the last one", [First, More, Text, Stop] },
        { "text, then zero", [First, Text, Stop, """{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"""] },
        { "text, then a smaller one", [More, Text, Stop, """{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}"""] },
        { "a call after it", [First, """{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}""", Stop] },
        { "reasoning after it", [First, """{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}""", Stop] },
        { "text of the older completions", ["""{"choices":[{"index":0,"text":"a"}],"usage":{"prompt_tokens":9,"completion_tokens":1}}""", """{"choices":[{"index":0,"text":"b","finish_reason":"stop"}]}"""] },
    };

    [Theory]
    [MemberData(nameof(Stated))]
    public void ToBody_Usage_IsTheLargest(string name, string[] chunks, long prompt, long completion)
    {
        Usage? usage = Assemble(chunks).Usage;

        Assert.True(usage is { IsPlausible: true }, name);
        Assert.Equal((name, prompt, completion), (name, usage.PromptTokens, usage.CompletionTokens));
    }

    [Theory]
    [MemberData(nameof(Outdated))]
    public void ToBody_TextAfterUsage_HasNone(string name, string[] chunks) => Assert.True(Assemble(chunks).Usage is null, name);

    [Fact]
    public void ToBody_Details_AreTheLargestToo()
    {
        Usage usage = Assemble([
            """{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":null}}""",
            """{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":6,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":3}}}""",
        ]).Usage!;

        Assert.Equal((6L, 4L, 3L), (usage.CompletionTokens, usage.CachedTokens, usage.ReasoningTokens));
    }

    private static LlmResponse Assemble(string[] chunks)
    {
        var assembler = new CompletionAssembler();
        foreach (string chunk in chunks)
        {
            Assert.Null(assembler.Add(Encoding.UTF8.GetBytes(chunk)));
        }

        return LlmResponse.FromBody(assembler.ToBody(isChat: true));
    }
}
