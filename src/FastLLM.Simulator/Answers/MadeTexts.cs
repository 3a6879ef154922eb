using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Makes texts that are JSON: arguments for functions with a schema, and answers in a format.</summary>
internal static class MadeTexts
{
    // A schema says something with one of these; without, an answer's text is the argument.
    private static readonly string[] s_saying = ["type", "properties", "$ref", "anyOf", "oneOf", "allOf", "enum", "const", "required"];

    /// <summary>Makes the arguments of a call.</summary>
    /// <returns>JSON; <see langword="null"/> if the schema says nothing.</returns>
    /// <exception cref="SchemaException">No value fits the schema.</exception>
    public static byte[]? Arguments(JsonElement parameters, BodyHash hash, int choice, int call)
    {
        bool says = parameters.ValueKind == JsonValueKind.Object && s_saying.Any(keyword =>
            parameters.TryGetProperty(keyword, out JsonElement value)
            && (keyword != "type" || value.ValueKind is JsonValueKind.String or JsonValueKind.Array));
        return says ? SchemaValue.Make(parameters, hash, (ulong)((choice * 100) + call)) : null;
    }

    /// <summary>Makes an answer in a format of chat completions (<c>json_schema</c> has a member of that name) or of responses.</summary>
    /// <param name="format">The format.</param>
    /// <param name="param">The parameter's name, for errors.</param>
    /// <param name="hash">What values are drawn from.</param>
    /// <param name="choice">The choice.</param>
    /// <param name="text">What a plain answer would say.</param>
    /// <param name="problem">What is wrong with the format, if anything.</param>
    /// <returns>JSON; <see langword="null"/> for plain text.</returns>
    public static byte[]? Answer(JsonElement format, string param, BodyHash hash, int choice, string text, out Problem? problem)
    {
        problem = null;
        if (format.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        switch (format.TryGetProperty("type", out JsonElement type) ? type.ToString() : "")
        {
            case "text":
                return null;
            case "json_object":
                return Encoding.UTF8.GetBytes($$"""{"answer":"{{Escape(text)}}"}""");
            case "json_schema":
                JsonElement holder = format.TryGetProperty("json_schema", out JsonElement described) ? described : format;
                param = described.ValueKind == JsonValueKind.Object ? param + ".json_schema" : param;
                if (holder.ValueKind != JsonValueKind.Object || !holder.TryGetProperty("schema", out JsonElement schema))
                {
                    problem = Problem.Missing(param + ".schema");
                    return null;
                }

                try
                {
                    return SchemaValue.Make(schema, hash, (ulong)choice * 100);
                }
                catch (SchemaException e)
                {
                    problem = Impossible(param + ".schema", e);
                    return null;
                }

            default:
                problem = Problem.Invalid(param + ".type", "text, json_object or json_schema");
                return null;
        }
    }

    public static Problem Impossible(string param, SchemaException reason) => new(
        400, $"Invalid schema for '{param}': {reason.Message}.", Param: param, Code: "invalid_json_schema");

    /// <summary>Escapes a text for use inside a JSON string.</summary>
    public static JsonEncodedText Escape(string text) => JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping);

    /// <inheritdoc cref="Escape(string)"/>
    public static byte[] Escape(byte[] json) =>
        JsonEncodedText.Encode(json, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes.ToArray();
}
