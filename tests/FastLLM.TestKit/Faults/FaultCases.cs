using System.Text;
using FastLLM.Pipeline;

namespace FastLLM.TestKit.Faults;

/// <summary>The faults of a server, as one table. What is about streams, limits, kills and files has tests of its own.</summary>
public static class FaultCases
{
    /// <summary>A whole answer.</summary>
    public const string GoodAnswer = """{"id":"a","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}""";

    private const long Cap = 1 << 20;

    private static readonly Lazy<byte[]> s_bomb = new(() => Fault.Compress(new byte[64 << 20]));

    /// <summary>All of them.</summary>
    /// <param name="bystander">A host to which redirects point.</param>
    public static IReadOnlyList<FaultCase> All(FaultServer bystander) =>
        [.. Timed(), .. Connections(), .. Redirects(bystander), .. Bodies(), .. Refusals(), .. InOk(), .. Echoes(), .. Storms()];

    private static IEnumerable<FaultCase> Timed()
    {
        foreach ((string id, FaultStage stage) in ((string, FaultStage)[])[("F01", FaultStage.BeforeHeaders), ("F01", FaultStage.InHeaders), ("F02", FaultStage.AfterHeaders), ("F02", FaultStage.InBody)])
        {
            FaultStep stall = Fault.Stall(stage, 200, Encoding.UTF8.GetBytes(GoodAnswer));
            yield return new(id, $"stall {stage}, once", stall) { Sends = 2, MaybeBilled = 1, IsTimed = true };
            yield return new(id, $"stall {stage}, always") { Otherwise = stall, Kind = FailureKind.Timeout, Sends = 3, MaybeBilled = 3, IsTimed = true };
        }
    }

    private static IEnumerable<FaultCase> Connections()
    {
        byte[] good = Encoding.UTF8.GetBytes(GoodAnswer);
        yield return new("F03", "reset before the answer, once", Fault.ResetBeforeResponse()) { Sends = 2, MaybeBilled = 1 };
        yield return new("F03", "reset before the answer, always") { Otherwise = Fault.ResetBeforeResponse(), Kind = FailureKind.ConnectionLost, Sends = 3, MaybeBilled = 3 };
        yield return new("F04", "reset in the middle of the body", Fault.ResetMidBody(200, good)) { Sends = 2, MaybeBilled = 1 };
        yield return new("F05", "half closed after the headers", Fault.CloseDelimited(200, default)) { Sends = 2, MaybeBilled = 1 };
        // Each row meets one cut, and then a whole answer.
        FaultStep whole = Fault.Respond(200, GoodAnswer);
        yield return new("F06", "cut at every byte, ended by the connection", [.. Enumerable.Range(0, good.Length).SelectMany(cut => (FaultStep[])[Fault.CloseDelimited(200, good.AsMemory(0, cut)), whole])])
        {
            Rows = good.Length,
            Sends = good.Length * 2,
            MaybeBilled = good.Length,
        };
        yield return new("F07", "chunks cut short", Fault.Chunked(200, [good.AsMemory(0, 40)], cut: true)) { Sends = 2, MaybeBilled = 1 };
        yield return new("F07", "length too long", Fault.WrongLength(200, good, good.Length + 10)) { Sends = 2, MaybeBilled = 1 };
        yield return new("F07", "length too short", Fault.WrongLength(200, good, good.Length - 10)) { Sends = 2, MaybeBilled = 1 };
        yield return new("F08", "pooled connection closed as the second request goes out", Fault.Respond(200, GoodAnswer), Fault.CloseBeforeResponse()) { Rows = 2, Sends = 3, MaybeBilled = 1 };
    }

    private static IEnumerable<FaultCase> Redirects(FaultServer bystander) =>
        from status in (int[])[301, 302, 303, 307, 308]
        select new FaultCase("F13", $"{status} to another host") { Otherwise = Fault.Redirect(status, bystander.BaseUrl), Kind = FailureKind.Redirect, Bystander = bystander };

    private static IEnumerable<FaultCase> Bodies()
    {
        byte[] good = Encoding.UTF8.GetBytes(GoodAnswer);
        yield return Always("F18", "gzip, unasked", Fault.Gzip(200, good), FailureKind.InvalidResponse);
        yield return Always("F18", "gzip, truncated", Fault.Gzip(200, good, bytes => bytes[..(bytes.Length / 2)]), FailureKind.InvalidResponse);
        yield return Always("F18", "gzip, a bit flipped", Fault.Gzip(200, good, bytes => [.. bytes.Select((b, i) => i == bytes.Length / 2 ? (byte)(b ^ 4) : b)]), FailureKind.InvalidResponse);
        yield return Always("F19", "gzip bomb of 64 MB", (_, connection) => connection.RespondAsync(200, s_bomb.Value, ("Content-Encoding", "gzip")), FailureKind.InvalidResponse);
        yield return new("F20", "answer larger than the cap, by its length") { Otherwise = Fault.WrongLength(200, good, Cap * 2), Kind = FailureKind.ResponseTooLarge, MaybeBilled = 1, Options = Capped };
        yield return new("F20", "answer without end") { Otherwise = Fault.Chunked(200, Enumerable.Repeat((ReadOnlyMemory<byte>)new byte[64 << 10], 1000)), Kind = FailureKind.ResponseTooLarge, MaybeBilled = 1, Options = Capped };
        yield return Always("F24", "HTML", Fault.Respond(200, "<html>hello</html>"), FailureKind.InvalidResponse);
        yield return Always("F24", "empty", Fault.Respond(200, ""), FailureKind.InvalidResponse);
        yield return Always("F24", "null", Fault.Respond(200, "null"), FailureKind.InvalidResponse);
        yield return Always("F24", "JSON that breaks off", Fault.Respond(200, """{"choices":["""), FailureKind.IncompleteResponse);
        yield return Always("F24", "no finish_reason", Fault.Respond(200, """{"choices":[{"index":0,"message":{"content":"x"}}]}"""), FailureKind.IncompleteResponse);
        yield return Always("F24", "depth 1000", Fault.Respond(200, """{"choices":""" + new string('[', 1000) + new string(']', 1000) + "}"), FailureKind.InvalidResponse);
        yield return Always("F24", "NaN", Fault.Respond(200, """{"choices":NaN}"""), FailureKind.InvalidResponse);
    }

    private static IEnumerable<FaultCase> Refusals() =>
    [
        Stop("F17", "insufficient_quota, code null", 429, """{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":null}}""", FailureKind.QuotaExhausted),
        Stop("F17", "Anthropic's spend limit", 429, """{"type":"error","error":{"type":"rate_limit_error","message":"x","details":{"error_code":"enforced_spend_limit_reached"}}}""", FailureKind.QuotaExhausted),
        Stop("F17", "Gemini's day", 429, """[{"error":{"code":429,"message":"x","details":[{"violations":[{"quotaId":"GenerateRequestsPerDay"}]},{"retryDelay":"1s"}]}}]""", FailureKind.DailyLimit),
        Stop("F23", "402", 402, """{"error":{"message":"Insufficient Balance"}}""", FailureKind.QuotaExhausted),
        Stop("F23", "401", 401, """{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}""", FailureKind.Authentication),
        Stop("F23", "403", 403, """{"error":{"message":"not for you"}}""", FailureKind.PermissionDenied),
        Stop("F23", "no such model", 404, """{"error":{"message":"The model `m` does not exist","code":"model_not_found"}}""", FailureKind.ModelNotFound),
        new("F23", "401 in the middle: a revoked key", Fault.Respond(200, GoodAnswer), Fault.Respond(200, GoodAnswer)) { Rows = 20, Otherwise = Fault.Respond(401, "{}"), Kind = FailureKind.Authentication, Sends = 12, MaxSends = 50, Stops = true },
        new("F23", "402 for a budget in flight, then room", Fault.Respond(402, """{"error":{"code":402,"message":"x","metadata":{"limit_source":"openrouter_in_flight_budget"}}}""", ("Retry-After", "0"))) { Sends = 2 },
        new("F23", "498, then room", Fault.Respond(498, """{"error":{"type":"capacity_exceeded"}}""")) { Sends = 2 },
        new("F23", "429 slow_down, then room", Fault.Respond(429, """{"error":{"code":"slow_down"}}""", ("retry-after-ms", "1"))) { Sends = 2 },
        new("F23", "409 and 425, then an answer", Fault.Respond(409, "{}"), Fault.Respond(425, "{}")) { Sends = 3 },
        Row("F23", "413", 413, """{"error":{"message":"Request too large … Limit 8000, Requested 10098"}}""", FailureKind.RequestTooLarge),
        Row("F23", "429 that never fits", 429, """{"error":{"message":"Request too large for m: Limit 8000, Requested 10098."}}""", FailureKind.RequestTooLarge),
        Row("F23", "400, too long", 400, """{"error":{"message":"This model's maximum context length is 4096 tokens","code":400}}""", FailureKind.ContextLength),
        Row("F23", "400, filtered", 400, """{"error":{"message":"x","code":"content_filter","param":"prompt"}}""", FailureKind.ContentFilter),
        Row("F23", "404 page", 404, "404 page not found", FailureKind.NotFound),
        new("F23", "400 that should be retried", Fault.Respond(400, "{}", ("x-should-retry", "true"))) { Sends = 2 },
        new("F23", "500 that should not be retried") { Otherwise = Fault.Respond(500, "{}", ("x-should-retry", "false")), Kind = FailureKind.ServerError },
        new("F23", "the same 400 for every row") { Rows = 500, Otherwise = Fault.Respond(400, """{"error":{"message":"Unknown parameter: 'x'","code":"unknown_parameter"}}"""), Kind = FailureKind.InvalidRequest, Sends = 10, MaxSends = 14, Stops = true },
    ];

    private static IEnumerable<FaultCase> InOk() =>
    [
        Always("F25", "OpenRouter's 200", Fault.Respond(200, """{"error":{"code":502,"message":"x","metadata":{"error_type":"provider_unavailable"}},"id":"gen-1"}"""), FailureKind.ServerError),
        new("F25", "Gemini's list in 200") { Otherwise = Fault.Respond(200, """[{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT"}}]"""), Kind = FailureKind.InvalidRequest, MaybeBilled = 1 },
        new("F25", "Mistral's flat 422") { Otherwise = Fault.Respond(422, """{"object":"error","message":"x","type":"invalid_request_error","code":null}"""), Kind = FailureKind.InvalidRequest },
        new("F25", "Ollama's string, busy, then room", Fault.Respond(503, """{"error":"server busy, please try again.  maximum pending requests exceeded"}""")) { Sends = 2 },
    ];

    // Servers that repeat the key they were sent.
    private static IEnumerable<FaultCase> Echoes()
    {
        yield return new("F40", "key echoed in a 400") { Otherwise = Echo(400, key => $$$"""{"error":{"message":"bad {{{key}}}","type":"{{{key}}}","code":"{{{key}}}","param":"{{{key}}}"}}"""), Kind = FailureKind.InvalidRequest };
        yield return new("F40", "key echoed with escapes") { Otherwise = Echo(400, key => $$$"""{"error":{"message":"bad \u{{{(int)key[0]:x4}}}{{{key[1..]}}}","code":"\u{{{(int)key[0]:x4}}}{{{key[1..]}}}"}}"""), Kind = FailureKind.InvalidRequest };
        yield return new("F40", "key echoed in a 401") { Otherwise = Echo(401, key => $"Incorrect API key provided: {key}"), Kind = FailureKind.Authentication, Stops = true };
        yield return Always("F40", "key echoed in a 200 that is none", Echo(200, key => $"<html>{key}</html>"), FailureKind.InvalidResponse);
        yield return new("F40", "key echoed in the status line") { Otherwise = (request, connection) => connection.SendAsync($"HTTP/1.1 400 {KeyOf(request)}\r\nContent-Length: 0\r\n\r\n"), Kind = FailureKind.InvalidRequest };
        yield return new("F40", "key echoed in a header that is none")
        {
            Otherwise = async (request, connection) =>
            {
                await connection.SendAsync($"HTTP/1.1 200 OK\r\n{KeyOf(request)}\r\n\r\n");
                connection.Close();
            },
            Kind = FailureKind.InvalidResponse,
            Sends = 3,
            MaybeBilled = 3,
        };
    }

    private static IEnumerable<FaultCase> Storms()
    {
        const int rows = 400;
        var random = new Random(11);
        int[] statuses = [500, 502, 503, 529];
        FaultStep[] steps = [.. Enumerable.Range(0, 4 * rows).Select(_ => random.NextDouble() < 0.3 ? Fault.Respond(statuses[random.Next(4)], "{}") : Fault.Respond(200, GoodAnswer))];
        yield return new("F21", "30 % of 500, 502, 503, 529 at random", steps)
        {
            Rows = rows,
            Sends = rows * 13 / 10,
            MaxSends = rows * 3 / 2,
            Options = options =>
            {
                options.Concurrency = 40;
                options.RetryAttempts = 10;
            },
        };
    }

    private static FaultCase Always(string id, string what, FaultStep step, FailureKind kind) => new(id, what) { Otherwise = step, Kind = kind, Sends = 3, MaybeBilled = 3 };

    private static FaultCase Row(string id, string what, int status, string body, FailureKind kind) => new(id, what) { Otherwise = Fault.Respond(status, body), Kind = kind };

    private static FaultCase Stop(string id, string what, int status, string body, FailureKind kind) => new(id, what) { Rows = 20, Otherwise = Fault.Respond(status, body), Kind = kind, Sends = 3, MaxSends = 45, Stops = true };

    private static FaultStep Echo(int status, Func<string, string> body) => (request, connection) => connection.RespondAsync(status, Encoding.UTF8.GetBytes(body(KeyOf(request))));

    private static string KeyOf(FaultRequest request) => request.Header("Authorization")!["Bearer ".Length..];

    private static void Capped(RequestManagerOptions options) => options.MaxResponseBytes = Cap;
}
