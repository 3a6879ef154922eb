using System.Text;
using FastLLM.Caching;
using Xunit;

namespace FastLLM.Tests.Caching;

/// <summary>One rule says which answers are requested again, for a run, a resume and an estimate.</summary>
public sealed class RefreshRuleTests
{
    private const string Stopped = """{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}""";
    private const string SecondCut = """{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"},{"index":1,"message":{"content":"b"},"finish_reason":"length"}]}""";
    private const string Embeddings = """{"object":"list","data":[{"index":0,"embedding":[1]}]}""";
    private const string Responses = """{"object":"response","status":"completed","output":[]}""";

    private const string CutResponses = """{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}""";

    [Theory]
    [InlineData("length", Stopped, false)]
    [InlineData("length", SecondCut, true)]
    [InlineData("length", Embeddings, false)]
    [InlineData("stop", Stopped, true)]
    [InlineData("*", Stopped, true)]
    [InlineData("*", Embeddings, true)]
    [InlineData("*", Responses, true)]
    [InlineData("length", Responses, false)]
    [InlineData("length", CutResponses, true)]
    [InlineData("max_output_tokens", CutResponses, true)]
    [InlineData("max_output_tokens", SecondCut, true)]
    [InlineData("content_filter", CutResponses, false)]
    [InlineData(null, Stopped, false)]
    public void Applies_ToAnAnswer(string? reason, string body, bool applies)
    {
        var rule = new RefreshRule(reason is null ? [] : [reason]);

        Assert.Equal(applies, rule.Applies(LlmResponse.FromBody(Encoding.UTF8.GetBytes(body))));
    }

    [Theory]
    [InlineData("length", new[] { "stop", "length" }, true)]
    [InlineData("length", new string[0], false)]
    [InlineData("*", new string[0], true)]
    [InlineData(null, new[] { "stop" }, false)]
    public void Applies_ToTheReasonsOfARecord(string? reason, string[] reasons, bool applies)
    {
        Assert.Equal(applies, new RefreshRule(reason is null ? [] : [reason]).Applies(reasons));
    }
}
