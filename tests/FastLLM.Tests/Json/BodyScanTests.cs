using System.Text;
using FastLLM.Json;
using Xunit;

namespace FastLLM.Tests.Json;

/// <summary>The tokens of a response are those that it states, under whatever names.</summary>
public sealed class BodyScanTests
{
    [Theory]
    [InlineData("\"prompt_tokens\":100,\"completion_tokens\":20,\"input_tokens\":0,\"output_tokens\":0")]
    [InlineData("\"input_tokens\":0,\"output_tokens\":0,\"prompt_tokens\":100,\"completion_tokens\":20")]
    [InlineData("\"prompt_tokens\":0,\"completion_tokens\":0,\"input_tokens\":100,\"output_tokens\":20")]
    [InlineData("\"prompt_tokens\":1,\"completion_tokens\":1,\"input_tokens\":100,\"output_tokens\":20")]
    [InlineData("\"prompt_tokens\":100,\"completion_tokens\":20,\"prompt_tokens\":1,\"completion_tokens\":1")]
    public void Read_UsageUnderBothNames_TakesTheLarger(string usage)
    {
        Usage read = Read(usage);

        Assert.Equal((100L, 20L, false), (read.PromptTokens, read.CompletionTokens, read.IsUnclear));
    }

    [Fact]
    public void Read_DetailsUnderBothNames_TakesTheLarger()
    {
        Usage read = Read("""
            "prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":60},"completion_tokens_details":{"reasoning_tokens":10},
            "input_tokens_details":{"cached_tokens":0},"output_tokens_details":{"reasoning_tokens":0}
            """);

        Assert.Equal((60L, 10L), (read.CachedTokens, read.ReasoningTokens));
    }

    [Theory]
    [InlineData("\"input_tokens\":10,\"cache_read_input_tokens\":60,\"cache_creation_input_tokens\":30,\"output_tokens\":20", 100L)]
    [InlineData("\"prompt_tokens\":100,\"cache_read_input_tokens\":60,\"cache_creation_input_tokens\":30,\"completion_tokens\":20", 100L)]
    public void Read_TokensOfACache_AreAddedToInputTokensOnly(string usage, long prompt) => Assert.Equal(prompt, Read(usage).PromptTokens);

    [Theory]
    [InlineData("\"input_tokens\":10,\"output_tokens\":20,\"cache_creation_input_tokens\":\"5000\"", true)]
    [InlineData("\"input_tokens\":10,\"output_tokens\":20,\"cache_read_input_tokens\":-5", true)]
    [InlineData("\"prompt_tokens\":10,\"completion_tokens\":20,\"completion_tokens_details\":{\"reasoning_tokens\":\"700\"}", true)]
    [InlineData("\"prompt_tokens\":10,\"completion_tokens\":20,\"completion_tokens_details\":{\"reasoning_tokens\":null}", false)]
    [InlineData("\"input_tokens\":10,\"output_tokens\":20,\"cache_creation_input_tokens\":null,\"cache_read_input_tokens\":null", false)]
    [InlineData("\"prompt_tokens\":10,\"completion_tokens\":20,\"prompt_tokens_details\":{\"cached_tokens\":\"5\"}", false)]
    public void Read_CountThatCanAddTokensIsUnreadable_IsUnclear(string usage, bool isUnclear) => Assert.Equal(isUnclear, Read(usage).IsUnclear);

    [Fact]
    public void Read_ReasoningTokensBesideTheCompletion_AreRead() =>
        Assert.Equal(700, Read("\"prompt_tokens\":10,\"completion_tokens\":20,\"reasoning_tokens\":700").ReasoningTokens);

    private static Usage Read(string usage) => LlmResponse.FromBody(Encoding.UTF8.GetBytes(
        $$$"""{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{{{{usage}}}}}""")).Usage!;

    [Theory]
    [InlineData(1000, 1, true)]
    [InlineData(1000, 6, true)]
    [InlineData(1000, 8, false)]
    [InlineData(100, 1, false)]
    [InlineData(1, 0, true)]
    [InlineData(0, 0, false)]
    public void Read_FewerTokensThanTheTextCanHave_AreUnclear(int characters, int tokens, bool isUnclear)
    {
        string body = $$$"""{"choices":[{"message":{"content":"{{{new string('a', characters)}}}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":{{{tokens}}}}}""";

        Assert.Equal(isUnclear, BodyScan.Read(System.Text.Encoding.UTF8.GetBytes(body)).Usage.IsUnclear);
    }

    [Theory]
    [InlineData(@"""choices"":[{""message"":{""content"":null,""tool_calls"":[{""function"":{""name"":""f"",""arguments"":""TEXT""}}]}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":null,""function_call"":{""name"":""f"",""arguments"":""TEXT""}}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":null,""tool_calls"":[{""function"":{""name"":""TEXT"",""arguments"":""""}}]}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":null,""tool_calls"":[{""function"":{""name"":""f"",""arguments"":{""q"":[""TEXT""]}}}]}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":null,""tool_calls"":[{""type"":""custom"",""custom"":{""name"":""f"",""input"":""TEXT""}}]}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":null,""refusal"":""TEXT""}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":"""",""reasoning_content"":""TEXT""}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":"""",""reasoning"":""TEXT""}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":"""",""thinking"":""TEXT""}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":[{""type"":""thinking"",""thinking"":""TEXT""}]}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":[{""type"":""text"",""text"":""TEXT""}]}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":"""",""reasoning_details"":[{""type"":""reasoning.summary"",""summary"":""TEXT""}]}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":null,""audio"":{""data"":""AAAA"",""transcript"":""TEXT""}}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":""""}},{""message"":{""content"":""TEXT""}}]")]
    [InlineData(@"""choices"":[{""text"":"""",""finish_reason"":""stop""},{""text"":""TEXT"",""finish_reason"":""stop""}]")]
    [InlineData(@"""status"":""completed"",""output"":[{""type"":""message"",""content"":[{""type"":""output_text"",""text"":""TEXT""}]}]")]
    [InlineData(@"""status"":""completed"",""output"":[{""type"":""function_call"",""name"":""f"",""arguments"":""TEXT""}]")]
    [InlineData(@"""status"":""completed"",""output"":[{""type"":""custom_tool_call"",""name"":""f"",""input"":""TEXT""}]")]
    public void Read_FewerTokensThanTheWholeAnswerCanHave_AreUnclear(string answer)
    {
        Assert.False(IsUnclear(4000, 40));
        Assert.True(IsUnclear(4000, 20));
        Assert.True(IsUnclear(4, 0));

        bool IsUnclear(int characters, int tokens) => BodyScan.Read(System.Text.Encoding.UTF8.GetBytes(
            "{" + answer.Replace("TEXT", new string('a', characters), StringComparison.Ordinal)
            + $$$""","usage":{"prompt_tokens":1,"completion_tokens":{{{tokens}}}}}""")).Usage.IsUnclear;
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    public void Read_NoTokensForAPicture_AreUnclear(int tokens, bool isUnclear)
    {
        string url = "data:image/png;base64," + new string('A', 4000);
        string body = $$$"""
            {"choices":[{"message":{"content":"","images":[{"type":"image_url","image_url":{"url":"{{{url}}}"} }]}}],
            "usage":{"prompt_tokens":1,"completion_tokens":{{{tokens}}} } }
            """;

        Assert.Equal(isUnclear, BodyScan.Read(System.Text.Encoding.UTF8.GetBytes(body)).Usage.IsUnclear);
    }

    [Theory]
    [InlineData(@"""choices"":[{""message"":{""content"":""ok"",""annotations"":[{""text"":""TEXT""}]},""logprobs"":{""content"":[{""token"":""TEXT""}]}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":""ok"",""audio"":{""data"":""TEXT""}}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":""ok"",""context"":{""citations"":[{""content"":""TEXT""}]}}}]")]
    [InlineData(@"""choices"":[{""message"":{""content"":""ok"",""executed_tools"":[{""code_results"":[{""text"":""TEXT""}]}]}}]")]
    [InlineData(@"""status"":""completed"",""output"":[{""type"":""mcp_list_tools"",""tools"":[{""name"":""TEXT""}]}]")]
    [InlineData(@"""instructions"":""TEXT"",""status"":""completed"",""output"":[{""content"":[{""text"":""ok"",""annotations"":[{""text"":""TEXT""}]}]}]")]
    [InlineData(@"""status"":""completed"",""output"":[{""type"":""reasoning"",""encrypted_content"":""TEXT""}]")]
    public void Read_TextThatIsNotOfTheAnswer_TakesNoTokens(string answer)
    {
        string body = "{" + answer.Replace("TEXT", new string('a', 4000), StringComparison.Ordinal) + @",""usage"":{""prompt_tokens"":1,""completion_tokens"":1}}";

        Assert.False(BodyScan.Read(System.Text.Encoding.UTF8.GetBytes(body)).Usage.IsUnclear);
    }
}
