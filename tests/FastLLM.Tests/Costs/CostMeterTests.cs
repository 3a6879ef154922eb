using System.Net;
using FastLLM.Costs;
using Xunit;

namespace FastLLM.Tests.Costs;

/// <summary>A failed attempt costs what its provider states, and otherwise nothing or its worst case.</summary>
public sealed class CostMeterTests
{
    private static readonly CostMeter s_meter = new(PriceTable.Create(new Dictionary<string, ModelPrice> { ["m"] = new() { Input = 1, Output = 2 } }));

    [Theory]
    [InlineData("\"input_cost_per_query\":1", "\"hi\"", "input_cost_per_query")]
    [InlineData("\"input_cost_per_image\":1", "[{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]", "input_cost_per_image")]
    [InlineData("\"input_cost_per_image\":1", "\"hi\"", null)]
    public void Bound_PriceThatIsNotOfTokens_IsRefused(string price, string content, string? key)
    {
        string table = "{\"m\":{\"input_cost_per_token\":1,\"output_cost_per_token\":2," + price + "}}";
        var meter = new CostMeter(PriceTable.Read(new MemoryStream(System.Text.Encoding.UTF8.GetBytes(table))));
        LlmRequest request = LlmRequest.FromJson("{\"model\":\"m\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":" + content + "}]}");

        LlmException? refusal = meter.Bound(request, out _);

        Assert.Equal(key is not null, refusal is not null);
        Assert.Contains(key ?? "", refusal?.Message ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9000}""", "To bound it, lower max_completion_tokens or max_tokens in the row or the template.")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":9000,"n":3}""", "or the number of its answers (3).")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5}""", "Shorten its prompt.")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}],"max_tokens":900}""", "A picture counts 50,000, whatever its size: put fewer into a row.")]
    public void Explain_NamesWhatBoundsTheLargerPart(string body, string advice) =>
        Assert.EndsWith(advice, s_meter.Explain(LlmRequest.FromJson(body)), StringComparison.Ordinal);

    [Theory]
    [InlineData("m", 50)]
    [InlineData("dear", 500)]
    [InlineData("x/dear-2026-01-01", 500)]
    [InlineData("cheap", 50)]
    [InlineData("unknown", 50)]
    [InlineData("listed", 50)]
    [InlineData(null, 50)]
    public void CostOf_AnswerOfAnotherModel_IsOfTheHigherPrice(string? answering, int cost)
    {
        PriceTable own = PriceTable.Create(new Dictionary<string, ModelPrice>
        {
            ["m"] = new() { Input = 1, Output = 2 },
            ["dear"] = new() { Input = 10, Output = 20 },
            ["cheap"] = new() { Input = 0.1m, Output = 0.2m },
        });
        PriceTable listed = PriceTable.Create(new Dictionary<string, ModelPrice> { ["listed"] = new() { Input = 100, Output = 200 } });
        byte[] body = System.Text.Encoding.UTF8.GetBytes($$"""{"id":"x","meta":{"model":"dear"},"model":{{(answering is null ? "null" : $"\"{answering}\"")}},"choices":[]}""");

        Assert.Equal(cost, new CostMeter(own.Over(listed)).CostOf(new Usage { PromptTokens = 10, CompletionTokens = 20 }, "m", body));
    }

    [Fact]
    public void CostOf_AnswerOfAnotherModel_BothOnlyListed_IsOfTheHigherPrice()
    {
        PriceTable own = PriceTable.Create(new Dictionary<string, ModelPrice> { ["own"] = new() { Input = 1, Output = 1 } });
        PriceTable listed = PriceTable.Create(new Dictionary<string, ModelPrice> { ["m"] = new() { Input = 1, Output = 0 }, ["dear"] = new() { Input = 9, Output = 0 } });
        var meter = new CostMeter(own.Over(listed));

        Assert.Equal(90, meter.CostOf(new Usage { PromptTokens = 10, CompletionTokens = 20 }, "m", """{"model":"dear"}"""u8));
        Assert.Equal(30, meter.CostOf(new Usage { PromptTokens = 10, CompletionTokens = 20 }, "m", """{"model":"own"}"""u8));
    }

    [Theory]
    [InlineData(400, """{"error":{"message":"filtered","code":"content_filter"},"usage":{"prompt_tokens":10,"completion_tokens":20}}""", "50")]
    [InlineData(400, """{"error":{"message":"filtered","code":"content_filter"},"usage":{"prompt_tokens":10,"completion_tokens":0,"total_tokens":10}}""", "10")]
    [InlineData(429, """{"error":{"message":"slow"},"usage":{"input_tokens":10,"output_tokens":20}}""", "50")]
    [InlineData(400, """{"error":{"message":"no"},"usage":{"prompt_tokens":0,"completion_tokens":0}}""", null)]
    [InlineData(400, """{"error":{"message":"no"},"usage":{"prompt_tokens":"many"}}""", null)]
    [InlineData(400, """{"error":{"message":"no"},"usage":null}""", null)]
    [InlineData(400, """{"error":{"message":"no \"usage\" here"}}""", null)]
    [InlineData(400, """{"usage":{"prompt_tokens":10""", null)]
    [InlineData(504, """{"usage":{"prompt_tokens":10,"completion_tokens":20}}""", "100")]
    public void CostOfFailure_IsOfItsUsage_AndOfAnUnknownOutcomeTheWorstCaseAtLeast(int status, string body, string? cost)
    {
        using var response = new HttpResponseMessage((HttpStatusCode)status);
        LlmException failure = LlmException.From(response, body);

        Assert.Equal(cost, s_meter.CostOfFailure(failure, "m", 100)?.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(failure.Usage?.PromptTokens, failure.Without("no", "***").Usage?.PromptTokens);
    }
}
