using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>An error answer in OpenAI's form.</summary>
internal sealed record Problem(int Status, string Message, string Type = "invalid_request_error", string? Param = null, string? Code = null)
{
    public static readonly Problem BrokenJson = new(400, "We could not parse the JSON body of your request. The simulator expects one JSON object in UTF-8.");
    public static readonly Problem TooLarge = new(413, "The request body is larger than the simulator takes (256 MB).", Code: "request_too_large");

    /// <summary>The account has no money left.</summary>
    public static readonly Problem NoQuota = new(
        429,
        "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        "insufficient_quota",
        Code: "insufficient_quota");

    /// <summary>A limit is reached for now. The axis is <c>requests</c> or <c>tokens</c>.</summary>
    public static Problem RateLimited(string model, string axis, long limit, long used, long requested, TimeSpan wait) => new(
        429,
        $"Rate limit reached for {model} in organization org-simulator on {axis} per min ({Short(axis)}): Limit {limit}, Used {used}, Requested {requested}. Please try again in {GoDuration.Format(wait)}. Visit https://platform.openai.com/account/rate-limits to learn more.",
        axis,
        Code: "rate_limit_exceeded");

    /// <summary>A request is larger than the whole limit.</summary>
    public static Problem OverLimit(string model, long limit, long requested) => new(
        429,
        $"Request too large for {model} in organization org-simulator on tokens per min (TPM): Limit {limit}, Requested {requested}. The input or output tokens must be reduced in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more.",
        "tokens",
        Code: "rate_limit_exceeded");

    /// <summary>A law of throttling refuses a request.</summary>
    public static Problem Throttled(ThrottleLaw law) =>
        new(429, $"Simulated: rate limit reached ({law}). Please try again later.", "requests", Code: "rate_limit_exceeded");

    public static Problem Missing(string param) =>
        new(400, $"Missing required parameter: '{param}'.", Param: param, Code: "missing_required_parameter");

    public static Problem Invalid(string param, string expected) =>
        new(400, $"Invalid value for '{param}': expected {expected}.", Param: param, Code: "invalid_value");

    /// <summary>The error that is simulated for a status.</summary>
    public static Problem Simulated(int status) => status switch
    {
        400 => new(400, "Simulated: invalid request."),
        401 => new(401, "Simulated: incorrect API key provided.", Code: "invalid_api_key"),
        403 => new(403, "Simulated: the project does not have access to this model.", Code: "model_not_found"),
        404 => new(404, "Simulated: the model does not exist or you do not have access to it.", Code: "model_not_found"),
        413 => new(413, "Simulated: request too large.", Code: "request_too_large"),
        429 => new(429, "Simulated: rate limit reached for requests per min (RPM).", "requests", Code: "rate_limit_exceeded"),
        503 => new(503, "Simulated: the engine is currently overloaded, please try again later.", "server_error", Code: "service_unavailable"),
        >= 500 => new(status, "Simulated: the server had an error while processing your request.", "server_error"),
        _ => new(status, $"Simulated: status {status}."),
    };

    /// <summary>The body of a 200 that is none, as OpenRouter sends it when the provider behind it fails; or the same as the one chunk of a stream.</summary>
    public static void WriteErrorInOk(BodyHash hash, bool streamed, JsonOut output)
    {
        output.Restart();
        if (streamed)
        {
            WriteErrorChunk(hash, output);
            return;
        }

        output.Open('{');
        WriteProviderError(output);
        WriteGeneration(hash, output);
        output.Close('}');
    }

    public void WriteTo(JsonOut output)
    {
        output.Restart();
        output.Open('{');
        output.Name("error"u8);
        output.Open('{');
        output.Name("message"u8);
        output.String(Escape(Message));
        output.Name("type"u8);
        output.String(Escape(Type));
        output.Name("param"u8);
        output.StringOrNull(Escape(Param));
        output.Name("code"u8);
        output.StringOrNull(Escape(Code));
        output.Close('}');
        output.Close('}');
    }

    private static void WriteErrorChunk(BodyHash hash, JsonOut output)
    {
        output.MakeCompact();
        output.Raw("data: "u8);
        output.Open('{');
        WriteGeneration(hash, output);
        output.Name("object"u8);
        output.String("chat.completion.chunk"u8);
        output.Name("created"u8);
        output.Raw(RequestJson.Created);
        WriteProviderError(output);
        output.Name("choices"u8);
        output.Open('[');
        output.Next();
        output.Open('{');
        output.Name("index"u8);
        output.Number(0);
        output.Name("delta"u8);
        output.Open('{');
        output.Name("content"u8);
        output.String(default);
        output.Close('}');
        output.Name("finish_reason"u8);
        output.String("error"u8);
        output.Close('}');
        output.Close(']');
        output.Close('}');
        output.Raw("\n\n"u8);
    }

    private static void WriteGeneration(BodyHash hash, JsonOut output)
    {
        output.Name("id"u8);
        output.Raw("\"gen-"u8);
        output.Hex(hash.High, 16);
        output.Hex(hash.Low, 16);
        output.Raw((byte)'"');
    }

    private static void WriteProviderError(JsonOut output)
    {
        output.Name("error"u8);
        output.Open('{');
        output.Name("code"u8);
        output.Number(502);
        output.Name("message"u8);
        output.String("Simulated: the provider returned an error."u8);
        output.Name("metadata"u8);
        output.Open('{');
        output.Name("error_type"u8);
        output.String("provider_unavailable"u8);
        output.Close('}');
        output.Close('}');
    }

    private static string Short(string axis) => axis == "requests" ? "RPM" : "TPM";

    private static ReadOnlySpan<byte> Escape(string? text) =>
        text is null ? default : JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes;
}
