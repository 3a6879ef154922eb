using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>An error answer in OpenAI's form.</summary>
internal sealed record Problem(int Status, string Message, string Type = "invalid_request_error", string? Param = null, string? Code = null)
{
    public static readonly Problem BrokenJson = new(400, "We could not parse the JSON body of your request. The simulator expects one JSON object in UTF-8.");
    public static readonly Problem TooLarge = new(413, "The request body is larger than the simulator takes (256 MB).", Code: "request_too_large");

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

    private static ReadOnlySpan<byte> Escape(string? text) =>
        text is null ? default : JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes;
}
