using System.Text;
using FastLLM.Costs;
using Xunit;

namespace FastLLM.Tests.Costs;

/// <summary>The worst case is told from the body: never less than what it can take, or said to be unknown.</summary>
public sealed class TokenUpperBoundTests
{
    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"x"}]}""", null, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":5}""", 5L, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_completion_tokens":5,"max_tokens":7,"n":3}""", 21L, 3L)]
    [InlineData("""{"model":"m","messages":[{"role":"user","max_tokens":9,"content":"\"max_tokens\":3"}]}""", null, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":null,"n":2}""", null, 2L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":5,"max_completion_tokens":"7"}""", 7L, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":5e3,"candidate_count":2}""", 10_000L, 2L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":5,"n_predict":70,"max_new_tokens":60}""", 70L, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_new_tokens":5}""", null, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":0}""", null, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":5,"max_completion_tokens":-1}""", null, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":5,"max_output_tokens":"many"}""", null, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":5,"n_predict":-1}""", null, 1L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":9223372036854775807,"thinking_budget":9223372036854775807}""", 1_000_000_000L, 1L)]
    public void OutputIsWhatTheRequestAllowsForAllItsChoices(string body, long? output, long choices)
    {
        TokenUpperBound most = Of(body);

        Assert.Equal((output, choices, null), (most.Output, most.Choices, most.Unbounded));
    }

    [Theory]
    [InlineData("""{"model":"m","messages":[],"n_predict":1000}""", 1000L)]
    [InlineData("""{"model":"m","messages":[],"max_new_tokens":50,"n":2}""", 200L)]
    [InlineData("""{"model":"m","messages":[],"thinking_budget":5000}""", 5100L)]
    [InlineData("""{"model":"m","messages":[],"max_tokens":5,"n_predict":1000}""", 1000L)]
    [InlineData("""{"model":"m","messages":[]}""", 100L)]
    public void MostOutput_RequestWithoutLimit_IsTheModelsOwnOrAHigherOne(string body, long most) => Assert.Equal(most, Of(body).MostOutput(100));

    [Fact]
    public void EveryPromptOfTheOlderCompletionsIsAnswered_AsOftenAsItIsTried()
    {
        LlmRequest request = LlmRequest.FromJson("""{"model":"m","prompt":["a",[1,2],"c"],"max_tokens":10,"n":2,"best_of":4}""") with { Endpoint = Endpoints.Completions };

        Assert.Equal((120L, 12L), (TokenUpperBound.Of(request).Output, TokenUpperBound.Of(request).Choices));
    }

    [Fact]
    public void EmbeddingsHaveNoOutput()
    {
        Assert.Equal(0, TokenUpperBound.Of(LlmRequest.FromJson("""{"model":"e","input":["a","b"]}""")).Output);
    }

    [Theory]
    [InlineData("""{"model":"e","input":[{"image":"https://x/y.png"}]}""")]
    [InlineData("""{"model":"e","input":["a",{"text":"b"}]}""")]
    [InlineData("""{"model":"e","input":{"video":"https://x"}}""")]
    public void EmbeddingsOfOtherThanText_HaveNoKnownBound(string body)
    {
        TokenUpperBound most = TokenUpperBound.Of(LlmRequest.FromBody(Endpoints.Embeddings, System.Text.Encoding.UTF8.GetBytes(body)));

        Assert.Equal("an input that is no text", most.Unbounded);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("héllo wörld")]
    [InlineData("日本語の文章")]
    [InlineData("👩‍👩‍👧‍👦 \u0001 \" \\")]
    public void TheBytesOfTheBodyAreNeverFewerThanThoseOfItsTexts(string text)
    {
        LlmRequest request = LlmRequest.FromPrompt("p", text, "m");

        Assert.True(TokenUpperBound.Of(request).Input >= System.Text.Encoding.UTF8.GetByteCount(text) + 20);
    }

    [Fact]
    public void APictureCountsItsStatedBound_HoweverShortItsAddress()
    {
        long without = Of("""{"model":"m","messages":[{"role":"user","content":[]}]}""").Input;
        TokenUpperBound with = Of("""{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}""");

        Assert.Null(with.Unbounded);
        Assert.InRange(with.Input, without + (2 * TokenUpperBound.Picture), without + (2 * TokenUpperBound.Picture) + 200);
    }

    [Theory]
    [InlineData("""{"image_url":{"url":"https://x/y.png"}}""", 1)]
    [InlineData("""{"image_url":"https://x/y.png"}""", 1)]
    [InlineData("""{"image_url":{"url":"https://x/y.png"},"type":"image_url"}""", 1)]
    [InlineData("""{"type":"input_image","image_url":"https://x/y.png"},{"image_url":"z"},{"type":"text","text":"a"}""", 2)]
    [InlineData("""{"type":"text","text":"image_url"}""", 0)]
    public void APartWithTypeOrAddressOfAPicture_CountsAsOne(string parts, int pictures)
    {
        string body = $$"""{"model":"m","messages":[{"role":"user","content":[{{parts}}]}],"tools":[{"type":"function","function":{"parameters":{"properties":{"image_url":{} } } } }]}""";

        Assert.Equal((body.Length + TokenUpperBound.Preamble + (pictures * TokenUpperBound.Picture), null), (Of(body).Input, Of(body).Unbounded));
    }

    [Theory]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]}""", "sound")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}""", "file")]
    [InlineData("""{"model":"m","messages":[],"web_search_options":{}}""", "search")]
    [InlineData("""{"model":"m","messages":[],"service_tier":"priority"}""", "service tier")]
    [InlineData("""{"model":"m","messages":[],"prediction":{"type":"content","content":"x"}}""", "predicted")]
    [InlineData("""{"model":"m","messages":[],"service_tier":"auto"}""", "service tier")]
    [InlineData("""{"model":"m","messages":[],"service_tier":["priority"]}""", "service tier")]
    [InlineData("""{"model":"m","messages":[],"models":["a","b"]}""", "other models")]
    [InlineData("""{"model":"m","messages":[],"provider":{"sort":"throughput"}}""", "providers")]
    [InlineData("""{"model":"m","messages":[],"plugins":[{"id":"web"}]}""", "plugin")]
    [InlineData("""{"model":"m","messages":[],"search_parameters":{"mode":"on"}}""", "search")]
    [InlineData("""{"model":"m","messages":[],"enable_search":true}""", "search")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"google_search":{}}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"x_search"}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}},{"type":"something_new"}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"name":"f","function":{},"type":"retrieval"}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"builtin_function","function":{"name":"$web_search"}}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"$web_search"}}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"function","name":"$web_search"}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"function":"web_search"}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":7,"function":{"name":"f"}}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":["web_search"]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":{"new":{}}}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"tools":[{}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"preset":"p"}""", "preset")]
    [InlineData("""{"model":"m","messages":[],"fallback_models":["a"]}""", "other models")]
    [InlineData("""{"model":"m","messages":[],"enable_web_search":true}""", "search")]
    [InlineData("""{"model":"m","messages":[],"search":{}}""", "search")]
    [InlineData("""{"model":"m","messages":[],"web_search":true}""", "search")]
    [InlineData("""{"model":"m","messages":[],"online":true}""", "search")]
    [InlineData("""{"model":"m","messages":[{"role":"assistant","audio":{"id":"audio_1"}}]}""", "sound")]
    [InlineData("""{"model":"m","messages":[],"modalities":["text","audio"]}""", "no text")]
    [InlineData("""{"model":"m","messages":[],"extra_body":{"google":{}}}""", "own")]
    [InlineData("""{"model":"m","messages":[],"enable_thinking":true}""", "reasoning")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"document_url","document_url":"https://x/y.pdf"}]}]}""", "file")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"video","video":["https://x/y"]}]}]}""", "film")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"audio","audio":"https://x/y"}]}]}""", "sound")]
    [InlineData("""{"model":"m","messages":[],"tools":[{"type":"file_search"}]}""", "tool")]
    [InlineData("""{"model":"m","messages":[],"n":"three"}""", "choices")]
    [InlineData("""{"model":"m","messages":[],"n":[3]}""", "choices")]
    [InlineData("""{"model":"m","messages":[],"n":2.5}""", "choices")]
    public void WhatHasNoKnownBoundIsNamed(string body, string named)
    {
        Assert.Contains(named, Of(body).Unbounded, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"service_tier\":\"default\"", 5L)]
    [InlineData("\"service_tier\":\"flex\"", 5L)]
    [InlineData("\"service_tier\":null", 5L)]
    [InlineData("\"modalities\":[\"text\"]", 5L)]
    [InlineData("\"models\":null", 5L)]
    [InlineData("\"enable_search\":false", 5L)]
    [InlineData("\"search\":false", 5L)]
    [InlineData("\"tools\":null", 5L)]
    [InlineData("\"tools\":[]", 5L)]
    [InlineData("\"tools\":[{\"type\":\"custom\",\"custom\":{\"name\":\"c\"}},{\"type\":\"function\",\"name\":\"f\"},{\"function\":{\"name\":\"f\"}}]", 5L)]
    [InlineData("\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\"}}]", 5L)]
    [InlineData("\"n\":3.0", 15L)]
    [InlineData("\"n\":3e0", 15L)]
    [InlineData("\"n\":\"3\"", 15L)]
    [InlineData("\"n\":\"3.0\"", 15L)]
    [InlineData("\"n\":null", 5L)]
    [InlineData("\"thinking_budget\":100", 105L)]
    [InlineData("\"thinking_budget\":null", 5L)]
    [InlineData("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":100}", 105L)]
    [InlineData("\"thinking\":{\"type\":\"disabled\"}", 5L)]
    [InlineData("\"reasoning\":{\"effort\":\"high\",\"max_tokens\":100}", 105L)]
    [InlineData("\"reasoning\":{\"effort\":\"high\",\"max_tokens\":null}", 5L)]
    [InlineData("\"generationConfig\":{\"maxOutputTokens\":50,\"thinkingConfig\":{\"thinkingBudget\":100}}", 150L)]
    [InlineData("\"generationConfig\":{\"candidateCount\":3}", 15L)]
    [InlineData("\"options\":{\"num_predict\":50}", 50L)]
    [InlineData("\"generation_config\":{\"max_output_tokens\":50}", 50L)]
    [InlineData("\"parameters\":{\"max_completion_tokens\":50}", 50L)]
    [InlineData("\"metadata\":{\"budget_tokens\":50,\"n\":3}", 5L)]
    [InlineData("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"properties\":{\"google_search\":{\"type\":\"string\"}}}}}]", 5L)]
    public void FieldWithAKnownBound_IsCounted(string field, long output)
    {
        TokenUpperBound most = Of($$"""{"model":"m","messages":[],"max_tokens":5,{{field}}}""");

        Assert.Equal((output, null), (most.Output, most.Unbounded));
    }

    [Fact]
    public void WhatTheProviderKeepsOrRunsItselfHasNoBound()
    {
        LlmRequest kept = LlmRequest.FromJson("""{"model":"m","input":"x","previous_response_id":"r","max_output_tokens":5}""") with { Endpoint = Endpoints.Responses };
        LlmRequest tool = LlmRequest.FromJson("""{"model":"m","input":"x","tools":[{"type":"web_search_preview"}],"max_output_tokens":5}""") with { Endpoint = Endpoints.Responses };

        Assert.NotNull(TokenUpperBound.Of(kept).Unbounded);
        Assert.NotNull(TokenUpperBound.Of(tool).Unbounded);
    }

    [Theory]
    [InlineData("""{"id":"msg_123"}""", true)]
    [InlineData("""{"role":"user","content":"x"},{"id":"msg_123","type":null}""", true)]
    [InlineData("""{"id":"msg_123","type":"item_reference"}""", true)]
    [InlineData("""{"\u0069d":"msg_123"}""", true)]
    [InlineData("""{"id":"msg_123","role":"assistant","content":"x"}""", false)]
    [InlineData("""{"id":"rs_1","type":"reasoning","summary":[]}""", false)]
    [InlineData("""{"id":null,"content":"x"}""", false)]
    public void Of_ItemOfResponses_HasNoBoundIfItOnlyRefersToAnother(string items, bool isReference)
    {
        byte[] body = Encoding.UTF8.GetBytes($$"""{"model":"m","max_output_tokens":50,"input":[{{items}}]}""");

        TokenUpperBound most = TokenUpperBound.Of(LlmRequest.FromBody(Endpoints.Responses, body));

        Assert.Equal((50L, isReference), (most.Output, most.Unbounded is not null));
    }

    [Theory]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f1"}}]}],"max_tokens":50}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}],"max_tokens":50}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}},{"image_url":"y"}]}],"max_tokens":50,"n":"3"}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[{"role":"assistant","audio":{"id":"a"}}],"max_completion_tokens":50,"n":3}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[],"models":["a"],"max_tokens":5}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[],"service_tier":"flex","modalities":["text"],"max_tokens":"5"}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[],"service_tier":"priority"}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[],"generationConfig":{"maxOutputTokens":50,"thinkingConfig":{"thinkingBudget":100}},"max_tokens":5}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","name":"c"}]}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"$web_search"}}]}""")]
    [InlineData("chat/completions", """{"model":"m","messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}""")]
    [InlineData("responses", """{"model":"m","input":[{"id":"msg_123"}],"max_output_tokens":50}""")]
    [InlineData("responses", """{"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"x"},{"type":"input_file","file_id":"f"}]}]}""")]
    [InlineData("completions", """{"model":"m","prompt":["a","b"],"best_of":2,"max_tokens":5}""")]
    [InlineData("embeddings", """{"model":"m","input":[{"image":"x"}]}""")]
    public void Of_BodyWithEscapes_IsThatOfTheSameBodyWithout(string endpoint, string body)
    {
        TokenUpperBound plain = Of(body);
        for (var seed = 0; seed < 200; seed++)
        {
            string escaped = Escaped(body, new Random(seed));
            TokenUpperBound most = Of(escaped);
            Assert.True(plain with { Input = plain.Input + escaped.Length - body.Length } == most, $"{escaped}: {most} instead of {plain}");
        }

        TokenUpperBound Of(string json) => TokenUpperBound.Of(LlmRequest.FromBody("/v1/" + endpoint, Encoding.UTF8.GetBytes(json)));
    }

    // Any characters of names and strings, none to all of them.
    private static string Escaped(string json, Random random)
    {
        double share = random.NextDouble();
        var isInString = false;
        var escaped = new StringBuilder();
        foreach (char c in json)
        {
            isInString ^= c == '"';
            bool escapes = isInString && c != '"' && random.NextDouble() < share;
            escaped.Append(escapes ? FormattableString.Invariant($"\\u{(int)c:x4}") : c);
        }

        return escaped.ToString();
    }

    private static TokenUpperBound Of(string body) =>
        TokenUpperBound.Of(LlmRequest.FromBody(Endpoints.ChatCompletions, System.Text.Encoding.UTF8.GetBytes(body)));
}
