using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Jobs.Planning;

/// <summary>Prompt tokens are counted by the vocabulary of the model, where it is known.</summary>
public sealed class PromptTokensTests
{
    [Theory]
    [InlineData("gpt-4o", "o200k_base")]
    [InlineData("gpt-4o-mini-2024-07-18", "o200k_base")]
    [InlineData("openai/gpt-4.1-nano", "o200k_base")]
    [InlineData("gpt-5.1", "o200k_base")]
    [InlineData("o3-mini", "o200k_base")]
    [InlineData("ft:gpt-4o-mini:acme::abc", "o200k_base")]
    [InlineData("gpt-4-turbo", "cl100k_base")]
    [InlineData("gpt-3.5-turbo", "cl100k_base")]
    [InlineData("text-embedding-3-small", "cl100k_base")]
    [InlineData("gpt-40", null)]
    [InlineData("o30", null)]
    [InlineData("llama-3.1-70b", null)]
    [InlineData("", null)]
    public void Of_Model_HasItsVocabulary(string model, string? name) => Assert.Equal(name, Vocabulary.Of(model)?.Name);

    // The example of OpenAI's cookbook ("How to count tokens with tiktoken"), and the same by hand for others.
    [Theory]
    [InlineData("""{"model":"gpt-4o","messages":[{"role":"user","content":"hello world"}]}""", 3 + 1 + 2 + 3)]
    [InlineData("""{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"hello world"}]}]}""", 3 + 1 + 2 + 3)]
    [InlineData("""{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}""", null)]
    [InlineData("""{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"tools":[]}""", null)]
    [InlineData("""{"model":"gpt-4o","input":["hello world","hello"]}""", 3)]
    [InlineData("""{"model":"gpt-4o","input":[1,2,3]}""", null)]
    public void Count_Request_IsExactOrNone(string body, int? tokens) =>
        Assert.Equal(tokens, new PromptTokens(Vocabulary.Of("gpt-4o")!).Count(LlmRequest.FromJson(body), 10));

    [Fact]
    public void Count_CookbookExample_HasItsTokens()
    {
        LlmRequest request = LlmRequest.FromJson("""
            {"model":"gpt-4o","messages":[
            {"role":"system","content":"You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
            {"role":"system","name":"example_user","content":"New synergies will help drive top-line growth."},
            {"role":"system","name":"example_assistant","content":"Things working well together will increase revenue."},
            {"role":"system","name":"example_user","content":"Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
            {"role":"system","name":"example_assistant","content":"Let's talk later when we're less busy about how to do better."},
            {"role":"user","content":"This late pivot means we don't have time to boil the ocean for the client deliverable."}]}
            """);

        Assert.Equal(124, new PromptTokens(Vocabulary.Of("gpt-4o")!).Count(request, request.Body.Length));
        Assert.Equal(129, new PromptTokens(Vocabulary.Of("gpt-4")!).Count(request, request.Body.Length));
    }

    [Fact]
    public void Estimate_CountsASampleOfAVeryLargeFile()
    {
        var estimator = new UsageEstimator("gpt-4o", price: null);
        LlmRequest request = LlmRequest.FromJson("""{"model":"gpt-4o","messages":[{"role":"user","content":"hello world"}]}""");
        for (var i = 0; i < 1_000; i++)
        {
            estimator.Add(request, bytes: 1 << 16, maxOutput: 10, choices: 1);
        }

        ModelEstimate estimate = estimator.ToEstimate();

        Assert.Equal(("o200k_base", 1_000, 73), (estimate.Vocabulary, estimate.Requests, estimate.Counted));
        Assert.InRange(estimate.PromptTokens.Likely, 8_999, 9_000);
        Assert.InRange(estimate.PromptTokens.Low, 8_500, 8_900);
    }

    [Fact]
    public void Estimate_WithCorrections_SendsEachRequestTwiceAtMost()
    {
        var estimator = new UsageEstimator("m", price: null, corrects: true);
        estimator.Add(bytes: 400, maxOutput: 10, choices: 1);

        ModelEstimate estimate = estimator.ToEstimate();

        Assert.Equal((100, 2 * 200 + 10 + 500, 20L), (estimate.PromptTokens.Likely, estimate.PromptTokens.High, estimate.CompletionTokens.High));
    }
}
