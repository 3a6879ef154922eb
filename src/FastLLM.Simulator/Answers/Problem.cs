using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Represents an error answer in OpenAI's form.</summary>
internal sealed record Problem(int Status, string Message, string Type = "invalid_request_error", string? Param = null, string? Code = null)
{
    private const string Server = "server_error";
    private const string MoreOnLimits = "Visit https://platform.openai.com/account/rate-limits to learn more.";

    public static readonly Problem BrokenJson = new(
        400, "We could not parse the JSON body of your request. The simulator expects one JSON object in UTF-8.");

    public static readonly Problem TooLarge = new(
        413, "The request body is larger than the simulator takes (256 MB).", Code: "request_too_large");

    /// <summary>The account has no money left.</summary>
    public static readonly Problem NoQuota = new(
        429,
        "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
        + "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        "insufficient_quota",
        Code: "insufficient_quota");

    /// <summary>A limit is reached for now. The axis is <c>requests</c> or <c>tokens</c>.</summary>
    public static Problem RateLimited(string model, string axis, long limit, long used, long requested, TimeSpan wait) => new(
        429,
        $"Rate limit reached for {model} in organization org-simulator on {axis} per min ({Short(axis)}): Limit {limit}, "
        + $"Used {used}, Requested {requested}. Please try again in {GoDuration.Format(wait)}. {MoreOnLimits}",
        axis,
        Code: "rate_limit_exceeded");

    /// <summary>A request is larger than the whole limit.</summary>
    public static Problem OverLimit(string model, long limit, long requested) => new(
        429,
        $"Request too large for {model} in organization org-simulator on tokens per min (TPM): Limit {limit}, Requested {requested}. "
        + $"The input or output tokens must be reduced in order to run successfully. {MoreOnLimits}",
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
        503 => new(503, "Simulated: the engine is currently overloaded, please try again later.", Server, Code: "service_unavailable"),
        >= 500 => new(status, "Simulated: the server had an error while processing your request.", Server),
        _ => new(status, $"Simulated: status {status}."),
    };

    /// <summary>Writes an error with status 200, as OpenRouter sends it when the provider behind it fails.</summary>
    public static void WriteErrorInOk(ServedPath path, BodyHash hash, bool streamed, JsonOut output)
    {
        output.Restart();
        if (streamed && path == ServedPath.Responses)
        {
            output.Raw("event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"code\":\"server_error\",\"param\":null,"u8);
            output.Raw("\"message\":\"Simulated: the provider returned an error.\"}\n\n"u8);
            return;
        }

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
        output.Open("error"u8, '{');
        output.Member("message"u8, Escape(Message));
        output.Member("type"u8, Escape(Type));
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
        output.Member("object"u8, "chat.completion.chunk"u8);
        output.Name("created"u8);
        output.Raw(RequestJson.Created);
        WriteProviderError(output);
        output.Open("choices"u8, '[');
        output.Next();
        output.Open('{');
        output.Member("index"u8, 0);
        output.Open("delta"u8, '{');
        output.Member("content"u8, ""u8);
        output.Close('}');
        output.Member("finish_reason"u8, "error"u8);
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
        output.Open("error"u8, '{');
        output.Member("code"u8, 502);
        output.Member("message"u8, "Simulated: the provider returned an error."u8);
        output.Open("metadata"u8, '{');
        output.Member("error_type"u8, "provider_unavailable"u8);
        output.Close('}');
        output.Close('}');
    }

    private static string Short(string axis) => axis == "requests" ? "RPM" : "TPM";

    private static ReadOnlySpan<byte> Escape(string? text) =>
        text is null ? default : JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes;
}
