using System.Text;
using FastLLM.Diagnostics;
using Xunit;

namespace FastLLM.Tests.Diagnostics;

public sealed class AnswerFactsTests
{
    [Theory]
    [InlineData("""{"id":"1","model":"m-1","choices":[]}""", "m-1")]
    [InlineData("""{ "model" : "m-1" }""", "m-1")]
    [InlineData("""{"text":"\"model\":\"x\"","model":"m-1"}""", "m-1")]
    [InlineData("""{"kind":"model","model":"m-1"}""", "m-1")]
    [InlineData("""{"model":null}""", null)]
    [InlineData("""{"model":"a\"b"}""", null)]
    [InlineData("""{"model":"a""", null)]
    [InlineData("", null)]
    public void First_FindsTheMember(string body, string? expected) =>
        Assert.Equal(expected, AnswerFacts.First(Encoding.UTF8.GetBytes(body), "\"model\""u8, earlier: null, other: "m-0"));

    [Fact]
    public void First_ReturnsTheEarlierString() =>
        Assert.Same("m-" + "1", AnswerFacts.First("""{"model":"m-1"}"""u8, "\"model\""u8, "m-" + "1", other: null));

    [Theory]
    [InlineData("""{"choices":[{"finish_reason":"stop"}]}""", "stop")]
    [InlineData("""{"choices":[{"finish_reason":"stop"},{"finish_reason":"length"},{"finish_reason":"own"}]}""", "stop,length,own")]
    [InlineData("""{"choices":[{"finish_reason":null}]}""", null)]
    [InlineData("""{"choices":[{"finish_reason": "eos"}]}""", "eos")]
    [InlineData("""{"data":[]}""", null)]
    public void FinishReasons_OfEachChoice(string body, string? expected)
    {
        string[]? reasons = AnswerFacts.FinishReasons(Encoding.UTF8.GetBytes(body));

        Assert.Equal(expected, reasons is null ? null : string.Join(',', reasons));
    }

    [Theory]
    [InlineData("https://api.openai.com/v1", "openai")]
    [InlineData("https://me.openai.azure.com/openai/v1", "azure.ai.openai")]
    [InlineData("https://europe-west4-aiplatform.googleapis.com/v1", "gcp.vertex_ai")]
    [InlineData("https://notapi.openai.com.example.org/v1", "other")]
    [InlineData("http://localhost:8000/v1", "other")]
    public void Provider_IsNamedByItsHost(string address, string name) => Assert.Equal(name, ProviderIdentity.Of(new Uri(address), "other").Name);

    [Fact]
    public void Provider_WithoutAnAddress_HasNoServer() =>
        Assert.Equal(["gen_ai.provider.name"], ProviderIdentity.Of(new Uri("http://chatclient.invalid/v1"), "fake").Tags.Select(tag => tag.Key));
}
