using System.Net;
using System.Text;
using FastLLM.Retries;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Retries;

/// <summary>The table of reliability facts, with the bodies that providers really send.</summary>
public sealed class FailureTableTests
{
    public static TheoryData<string, int, string, FailureKind> Rows => new()
    {
        // out of money: waiting does not help
        { "OpenAI quota by type, code null", 429, """{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":null}}""", FailureKind.QuotaExhausted },
        { "OpenAI quota by code", 429, """{"error":{"message":"x","type":"tokens","param":null,"code":"insufficient_quota"}}""", FailureKind.QuotaExhausted },
        { "credit balance exhausted", 429, """{"error":{"message":"x","type":null,"param":null,"code":"credit_balance_exhausted"}}""", FailureKind.QuotaExhausted },
        { "organization spend limit", 429, """{"error":{"message":"x","type":"organization_spend_limit_exceeded","code":null}}""", FailureKind.QuotaExhausted },
        { "project spend limit", 429, """{"error":{"message":"x","code":"project_spend_limit_exceeded"}}""", FailureKind.QuotaExhausted },
        { "organization usage limit", 429, """{"error":{"message":"x","code":"organization_usage_limit_exceeded"}}""", FailureKind.QuotaExhausted },
        { "Anthropic spend limit", 429, """{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}""", FailureKind.QuotaExhausted },
        { "Anthropic usage limit as 400", 400, """{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}""", FailureKind.QuotaExhausted },
        { "Anthropic billing", 402, """{"type":"error","error":{"type":"billing_error","message":"x"}}""", FailureKind.QuotaExhausted },
        { "402 of a proxy", 402, "Payment Required", FailureKind.QuotaExhausted },
        { "DeepSeek balance", 402, """{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}""", FailureKind.QuotaExhausted },
        { "Gemini daily quota", 429, """[{"error":{"code":429,"message":"… Please retry in 10h17m5.723541104s.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"…QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"@type":"…RetryInfo","retryDelay":"30s"}]}}]""", FailureKind.DailyLimit },
        { "Gemini daily quota of 0", 429, """[{"error":{"code":429,"message":"Quota exceeded, limit: 0","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}]""", FailureKind.QuotaExhausted },
        { "OpenRouter free day", 429, """{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429}}""", FailureKind.DailyLimit },
        { "xAI credits", 403, """{"code":"permission-denied","error":"Your team has either used all available credits or reached its monthly spending limit."}""", FailureKind.QuotaExhausted },
        { "Azure quota", 429, """{"error":{"code":"insufficient_quota","message":"You exceeded your current quota"}}""", FailureKind.QuotaExhausted },
        { "hard limit", 400, """{"error":{"code":"billing_hard_limit_reached","message":"x","type":"invalid_request_error"}}""", FailureKind.QuotaExhausted },
        { "Gemini limit 0", 429, """[{"error":{"code":429,"message":"Quota exceeded for metric: x, limit: 0","status":"RESOURCE_EXHAUSTED"}}]""", FailureKind.QuotaExhausted },
        { "quota inside 200", 200, """{"error":{"message":"x","type":"insufficient_quota","code":null}}""", FailureKind.QuotaExhausted },

        // throttled: the request is good, the moment is not
        { "OpenRouter in-flight budget", 402, """{"error":{"code":402,"message":"x","metadata":{"limit_source":"openrouter_in_flight_budget"}}}""", FailureKind.RateLimited },
        { "OpenAI tokens a minute", 429, """{"error":{"message":"Rate limit reached for gpt-x in organization org on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}""", FailureKind.RateLimited },
        { "OpenAI slow down", 429, """{"error":{"message":"x","type":"slow_down","code":"slow_down"}}""", FailureKind.RateLimited },
        { "Gemini minute quota", 429, """[{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]},{"retryDelay":"30s"}]}}]""", FailureKind.RateLimited },
        { "Azure rate", 429, """{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current pricing tier. Please retry after 3 seconds."}}""", FailureKind.RateLimited },
        { "DeepSeek concurrency", 429, """{"error":{"message":"Too many requests","type":"rate_limit_error","param":null,"code":"rate_limit_reached_error"}}""", FailureKind.RateLimited },
        { "Anthropic rate", 429, """{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 50 requests per minute."}}""", FailureKind.RateLimited },
        { "OpenAI flex", 429, """{"error":{"message":"Resource Unavailable","type":"resource_unavailable","code":"resource_unavailable"}}""", FailureKind.RateLimited },
        { "Mistral", 429, """{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300","raw_status_code":429}""", FailureKind.RateLimited },
        { "Together", 429, """{"error":{"message":"x","type":"dynamic_request_limited"}}""", FailureKind.RateLimited },
        { "429 with nothing", 429, "", FailureKind.RateLimited },
        { "429 with a page", 429, "<html>slow down</html>", FailureKind.RateLimited },
        { "Groq flex", 498, """{"error":{"message":"x","type":"capacity_exceeded"}}""", FailureKind.RateLimited },
        { "Anthropic overloaded", 529, """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}""", FailureKind.Overloaded },
        { "OpenAI overloaded", 503, """{"error":{"message":"x","code":"server_is_overloaded"}}""", FailureKind.Overloaded },
        { "older slow down", 503, """{"error":{"message":"x","code":"slow_down"}}""", FailureKind.Overloaded },
        { "Ollama queue", 503, """{"error":"server busy, please try again.  maximum pending requests exceeded"}""", FailureKind.Overloaded },
        { "llama.cpp loading", 503, """{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}""", FailureKind.Overloaded },

        // never fits
        { "Groq too large as 413", 413, """{"error":{"message":"Request too large for model … Limit 8000, Requested 10098","type":"tokens","code":"rate_limit_exceeded"}}""", FailureKind.RequestTooLarge },
        { "OpenAI too large as 429", 429, """{"error":{"message":"Request too large for gpt-x on tokens per min (TPM): Limit 8000, Requested 10098. The input or output tokens must be reduced.","type":"tokens","code":"rate_limit_exceeded"}}""", FailureKind.RequestTooLarge },
        { "Anthropic 32 MB", 413, """{"type":"error","error":{"type":"request_too_large","message":"x"}}""", FailureKind.RequestTooLarge },

        // the row's own fault
        { "OpenAI context", 400, """{"error":{"message":"x","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""", FailureKind.ContextLength },
        { "vLLM context", 400, """{"error":{"message":"This model's maximum context length is 4096 tokens. However, you requested 5000.","type":"BadRequestError","param":null,"code":400}}""", FailureKind.ContextLength },
        { "llama.cpp context", 400, """{"error":{"code":400,"message":"x","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}""", FailureKind.ContextLength },
        { "context with half a surrogate pair echoed", 400, """{"error":{"message":"\ud83d is too much","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}""", FailureKind.ContextLength },
        { "Azure filter", 400, """{"error":{"message":"x","type":null,"param":"prompt","code":"content_filter","status":400}}""", FailureKind.ContentFilter },
        { "OpenRouter moderation", 403, """{"error":{"code":403,"message":"Input was flagged","metadata":{"reasons":["x"]}}}""", FailureKind.ContentFilter },
        { "422", 422, """{"detail":[{"msg":"field required"}]}""", FailureKind.InvalidRequest },
        { "other 400", 400, """{"error":{"message":"Unknown parameter","type":"invalid_request_error","param":"x","code":"unknown_parameter"}}""", FailureKind.InvalidRequest },
        { "400 with a page", 400, "<html>Bad Request</html>", FailureKind.InvalidRequest },
        { "Mistral 422", 422, """{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","x"]}]},"type":"invalid_request_error","param":null,"code":null}""", FailureKind.InvalidRequest },
        { "vLLM's own fault as 400", 400, """{"object":"error","message":"list index out of range","type":"BadRequestError","param":null,"code":400}""", FailureKind.InvalidRequest },
        { "OpenAI filter", 400, """{"error":{"message":"x","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}""", FailureKind.ContentFilter },
        { "404 page", 404, "404 page not found", FailureKind.NotFound },

        // the account
        { "401", 401, """{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}""", FailureKind.Authentication },
        { "403", 403, """{"error":{"message":"Country not supported","type":"request_forbidden","code":"unsupported_country_region_territory"}}""", FailureKind.PermissionDenied },
        { "model not found", 404, """{"error":{"message":"The model `gpt-y` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}""", FailureKind.ModelNotFound },
        { "Azure deployment", 404, """{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}""", FailureKind.ModelNotFound },
        { "Anthropic model", 404, """{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}""", FailureKind.ModelNotFound },
        { "Groq decommissioned", 400, """{"error":{"message":"The model `x` has been decommissioned","type":"invalid_request_error","code":"model_decommissioned"}}""", FailureKind.ModelNotFound },
        { "OpenRouter model", 400, """{"error":{"message":"x/y is not a valid model ID","code":400}}""", FailureKind.ModelNotFound },
        { "OpenRouter model without a provider", 404, """{"error":{"message":"No endpoints found for x/y.","code":404}}""", FailureKind.ModelNotFound },
        { "OpenRouter, no provider of the model does that", 404, """{"error":{"message":"No endpoints found that support image input","code":404}}""", FailureKind.NotFound },
        { "OpenAI model ID", 400, """{"error":{"message":"invalid model ID","type":"invalid_request_error","param":null,"code":null}}""", FailureKind.ModelNotFound },
        { "LiteLLM model", 400, """{"error":{"message":"/chat/completions: Invalid model name passed in model=x. Call `/v1/models` to view available models for your key.","type":"None","param":"None","code":"400"}}""", FailureKind.ModelNotFound },
        { "xAI model", 400, """{"code":"Client specified an invalid argument","error":"Model not found: x"}""", FailureKind.ModelNotFound },
        { "SGLang model", 400, """{"object":"error","message":"Model 'x' not found","type":"BadRequestError","param":null,"code":400}""", FailureKind.ModelNotFound },
        { "llama-swap model", 400, """{"error":"could not find real modelID for x"}""", FailureKind.ModelNotFound },
        { "Hugging Face model", 400, """{"error":{"message":"The requested model 'x' is not supported by any provider you have enabled.","type":"invalid_request_error","param":"model","code":"model_not_supported"}}""", FailureKind.ModelNotFound },
        { "model that lacks a feature", 400, """{"error":{"message":"The model `x` does not support image input","type":"invalid_request_error","param":"model","code":null}}""", FailureKind.InvalidRequest },
        { "Mistral model", 400, """{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"}""", FailureKind.ModelNotFound },
        { "DeepSeek model", 400, """{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}""", FailureKind.ModelNotFound },
        { "vLLM model", 404, """{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}""", FailureKind.ModelNotFound },
        { "Gemini model", 404, """[{"error":{"code":404,"message":"models/x is not found for API version v1main, or is not supported","status":"NOT_FOUND"}}]""", FailureKind.ModelNotFound },
        { "Gemini key as 400", 400, """[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]""", FailureKind.Authentication },
        { "Mistral key", 401, """{"detail":"Unauthorized"}""", FailureKind.Authentication },
        { "llama.cpp key", 401, """{"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}}""", FailureKind.Authentication },
        { "Ollama model not found", 404, """{"error":"model \"x\" not found, try pulling it first"}""", FailureKind.ModelNotFound },

        // the server's fault
        { "408", 408, "", FailureKind.ServerConflict },
        { "425", 425, "", FailureKind.ServerConflict },
        { "521 of a proxy", 521, "<html>Web server is down</html>", FailureKind.ServerError },
        { "409", 409, """{"error":{"message":"lock timeout"}}""", FailureKind.ServerConflict },
        { "500", 500, """{"error":{"message":"The server had an error","type":"server_error"}}""", FailureKind.ServerError },
        { "502 page", 502, "<html>Bad gateway</html>", FailureKind.ServerError },
        { "504", 504, "", FailureKind.ServerError },
        { "524 of a proxy", 524, "error code: 524", FailureKind.ServerError },

        // 200 that is none
        { "OpenRouter 200", 200, """{"error":{"code":502,"message":"x","metadata":{"error_type":"provider_unavailable"}},"id":"gen-1"}""", FailureKind.ServerError },
        { "200 with a code that is a word", 200, """{"error":{"message":"x","type":"rate_limit_error","code":null}}""", FailureKind.RateLimited },
        { "vLLM context in 200", 200, """{"error":{"message":"maximum context length is 10 tokens","type":"BadRequestError","code":400}}""", FailureKind.ContextLength },
        { "200 with an unknown error", 200, """{"error":"x"}""", FailureKind.ServerError },

        { "301", 301, "", FailureKind.Redirect },
        { "307", 307, "", FailureKind.Redirect },
    };

    [Theory]
    [MemberData(nameof(Rows))]
    public void Classify_NamesTheFailureBehindStatusAndBody(string name, int status, string body, FailureKind kind)
    {
        Assert.NotEmpty(name);
        Assert.Equal(kind, FailureTable.Classify(status, ErrorBody.Read(Encoding.UTF8.GetBytes(body))));

        using var response = new HttpResponseMessage((HttpStatusCode)status);
        LlmException failure = LlmException.From(response, body);
        Assert.Equal((kind, status, body), (failure.Kind, failure.StatusCode, failure.Body));
    }

    [Fact]
    public void EveryKind_HasAnAction_AndEveryStopARemedy()
    {
        FailureKind[] waits = [FailureKind.RateLimited, FailureKind.Overloaded, FailureKind.ConnectionRefused, FailureKind.TooManyOpenFiles];
        FailureKind[] retries =
            [FailureKind.ServerError, FailureKind.ServerConflict, FailureKind.ConnectionLost, FailureKind.Timeout, FailureKind.IncompleteResponse, FailureKind.InvalidResponse];
        FailureKind[] stops = [FailureKind.BudgetExhausted, FailureKind.Cache, FailureKind.Output, FailureKind.TooManyFailures];
        FailureKind[] shared = [FailureKind.ModelNotFound, FailureKind.DailyLimit, FailureKind.Certificate];
        FailureKind[] repeated = [FailureKind.Authentication, FailureKind.PermissionDenied, FailureKind.QuotaExhausted];
        foreach (FailureKind kind in Enum.GetValues<FailureKind>())
        {
            FailureAction expected = kind switch
            {
                _ when waits.Contains(kind) => FailureAction.Wait,
                _ when retries.Contains(kind) => FailureAction.Retry,
                _ when stops.Contains(kind) => FailureAction.StopRun,
                _ when shared.Contains(kind) => FailureAction.FailOrStop,
                _ when repeated.Contains(kind) => FailureAction.RepeatThenFailOrStop,
                FailureKind.NameNotResolved => FailureAction.RetryThenFailOrStop,
                _ => FailureAction.FailRow,
            };
            Assert.Equal(expected, FailureTable.ActionOn(kind));
            if (expected >= FailureAction.FailOrStop)
            {
                Assert.DoesNotContain("Mend the cause", FailureTable.Remedy(kind), StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData(FailureKind.InvalidRequest, 400, "true", nameof(FailureAction.Retry))]
    [InlineData(FailureKind.InvalidRequest, 400, "nonsense", nameof(FailureAction.FailRow))]
    [InlineData(FailureKind.ServerError, 500, "false", nameof(FailureAction.FailRow))]
    [InlineData(FailureKind.RateLimited, 429, "false", nameof(FailureAction.FailRow))]
    [InlineData(FailureKind.RateLimited, 429, "true", nameof(FailureAction.Wait))]
    [InlineData(FailureKind.Authentication, 401, "true", nameof(FailureAction.RepeatThenFailOrStop))]
    [InlineData(FailureKind.Authentication, 401, "false", nameof(FailureAction.FailOrStop))]
    public void TheProvidersWordOnRetries_WinsBothWays_ButMakesNoRetryOfAStop(FailureKind kind, int status, string told, string action)
    {
        using var response = new HttpResponseMessage((HttpStatusCode)status);
        response.Headers.Add("x-should-retry", told);
        LlmException failure = LlmException.From(response, "");

        Assert.Equal((kind, action), (failure.Kind, FailureTable.ActionOn(failure).ToString()));
    }

    [Theory]
    [InlineData("2026-07-01T10:00:00Z", "2026-07-02 07:00 UTC")]
    [InlineData("2026-12-31T23:00:00Z", "2027-01-01 08:00 UTC")]
    [InlineData("2026-03-08T09:00:00Z", "2026-03-09 07:00 UTC")]
    public void GooglesQuotaOfADay_SaysWhenThereIsMore(string now, string end)
    {
        using var response = new HttpResponseMessage(HttpStatusCode.TooManyRequests);
        byte[] body = """[{"error":{"code":429,"message":"x","details":[{"violations":[{"quotaId":"GenerateRequestsPerDay"}]}]}}]"""u8.ToArray();
        LlmException failure = LlmException.From(response, body, DateTimeOffset.Parse(now, System.Globalization.CultureInfo.InvariantCulture));

        Assert.Equal(FailureKind.DailyLimit, failure.Kind);
        Assert.Contains($"more from {end}", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Classify_TakesAnyStatusAndAnyBytes()
    {
        var cases = from status in Gen.Choose(100, 999) from body in Bytes select (Status: status, Body: body);

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000), Prop.ForAll(cases.ToArbitrary(), c =>
        {
            ErrorBody error = ErrorBody.Read(c.Body);
            using var response = new HttpResponseMessage((HttpStatusCode)c.Status);
            return FailureTable.Classify(c.Status, error) == LlmException.From(response, c.Body).Kind;
        }));
    }

    [Theory]
    [InlineData("""{"error":{"message":"m","type":"t","param":"p","code":"c"}}""", "m", "t", "c", "p")]
    [InlineData("""{"error":{"message":"m","code":429}}""", "m", null, "429", null)]
    [InlineData("""[{"error":{"message":"m","status":"S","code":429}}]""", "m", "S", "429", null)]
    [InlineData("""{"object":"error","message":"m","type":"t","param":null,"code":"1300"}""", "m", "t", "1300", null)]
    [InlineData("""{"type":"error","error":{"type":"t","message":"m"},"request_id":"r"}""", "m", "t", null, null)]
    [InlineData("""{"error":"m"}""", "m", null, null, null)]
    [InlineData("""{"error":null,"message":"m"}""", "m", null, null, null)]
    [InlineData("""{"error":7}""", null, null, null, null)]
    [InlineData("""{"error":{"message":["m"],"type":{},"code":true}}""", null, null, null, null)]
    [InlineData("\"m\"", "m", null, null, null)]
    [InlineData("[]", null, null, null, null)]
    [InlineData("null", null, null, null, null)]
    [InlineData("", null, null, null, null)]
    [InlineData("  <html>m</html> ", "<html>m</html>", null, null, null)]
    [InlineData("404 page not found", "404 page not found", null, null, null)]
    public void ErrorBody_IsReadInEveryShape(string body, string? message, string? type, string? code, string? parameter)
    {
        ErrorBody read = ErrorBody.Read(Encoding.UTF8.GetBytes(body));

        Assert.Equal((message, type, code, parameter), (read.Message, read.Type, read.Code, read.Parameter));
    }

    [Fact]
    public void ErrorBody_KeepsWhatItCanOfATextThatIsNoUnicode()
    {
        ErrorBody read = ErrorBody.Read("""{"error":{"message":"a\ud800b","code":"c"}}"""u8);

        Assert.Equal("c", read.Code);
        Assert.Contains("a", read.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Failure_KeepsTheFirst2048CharactersOfTheBody_CodeAndParameter()
    {
        using var response = new HttpResponseMessage(HttpStatusCode.BadRequest);
        LlmException failure = LlmException.From(response, $$"""{"error":{"message":"m","type":"t","param":"temperature","code":null},"pad":"{{new string('x', 5000)}}"}""");

        Assert.Equal((2048, "t", "temperature"), (failure.Body!.Length, failure.Code, failure.Parameter));
        Assert.Contains("400", failure.Message, StringComparison.Ordinal);
        Assert.Contains(": m", failure.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => LlmException.From(null!, ""));
        Assert.Throws<ArgumentNullException>(() => LlmException.From(response, (string)null!));
    }

    [Fact]
    public void AHugeMessage_IsClassifiedWithoutEffort()
    {
        string message = string.Concat(Enumerable.Repeat("Limit 1                              ", 50_000));
        using var response = new HttpResponseMessage(HttpStatusCode.TooManyRequests);

        Assert.Equal(FailureKind.RateLimited, LlmException.From(response, $$$"""{"error":{"message":"{{{message}}}"}}""").Kind);
    }

    private static Gen<byte[]> Bytes
    {
        get
        {
            string[] pieces = ["{", "}", "[", "]", ",", ":", "\"", "\"error\":", "\"message\":", "\"details\":", "\"code\":", "\"metadata\":", "\"violations\":", "null", "1e999", "429", "\"\\ud800\"", "\"a\"", "true", " "];
            Gen<byte[]> nearly = Gen.Elements(pieces).ListOf().Select(list => Encoding.UTF8.GetBytes("{\"error\":" + string.Concat(list)));
            return Gen.OneOf(ArbMap.Default.GeneratorFor<byte[]>().Select(bytes => bytes ?? []), nearly, nearly.Select(bytes => bytes[9..]));
        }
    }
}
