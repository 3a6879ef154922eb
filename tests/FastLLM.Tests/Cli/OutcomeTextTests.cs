using System.Text;
using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

/// <summary>What people see of an answer, and of the prices of a server of their own.</summary>
public sealed class OutcomeTextTests
{
    [Theory]
    [InlineData("""{\"label\":\"good\"}""", true, "good")]
    [InlineData("""{\"mood\":\"good\",\"stars\":5,\"tags\":[\"a\"],\"note\":null}""", true, """mood: good · stars: 5 · tags: ["a"] · note: """)]
    [InlineData("""{\"label\":\"good\"}""", false, """{"label":"good"}""")]
    [InlineData("Good.", true, "Good.")]
    [InlineData("{}", true, "")]
    [InlineData("[1]", true, "[1]")]
    public void Of_AnswerWithFields_ShowsThem(string text, bool hasFields, string expected)
    {
        string body = $$"""{"choices":[{"message":{"content":"{{text}}"},"finish_reason":"stop"}]}""";
        LlmResponse response = LlmResponse.FromBody(Encoding.UTF8.GetBytes(body));

        Assert.Equal(expected, OutcomeText.Of(new ResponseWrapper<LlmResponse>(response, "a", 0), hasFields));
    }

    [Theory]
    [InlineData("ollama", "llama3.2", true)]
    [InlineData("simulator", "m", true)]
    [InlineData("vllm", null, false)]
    [InlineData("groq", "llama3.2", false)]
    [InlineData(null, "llama3.2", false)]
    public void OnOwnServer_ModelWithoutPrice_CostsNothing(string? provider, string? model, bool isFree)
    {
        PriceTable prices = CostOptions.OnOwnServer(PriceTable.BuiltIn, model, provider is null ? null : Presets.Named(provider))!;

        Assert.Equal(isFree, prices.TryGet(model, out ModelPrice? price) && price is { Input: 0, Output: 0 });
    }

    [Fact]
    public void OnOwnServer_ModelWithPrice_KeepsIt() =>
        Assert.Same(PriceTable.BuiltIn, CostOptions.OnOwnServer(PriceTable.BuiltIn, "gpt-4o-mini", Presets.Simulator));
}
