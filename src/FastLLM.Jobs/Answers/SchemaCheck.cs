using System.Text.Json;
using System.Text.RegularExpressions;
using FastLLM.Checks;
using Json.Schema;

namespace FastLLM.Jobs.Answers;

/// <summary>Checks answers against a JSON schema.</summary>
internal sealed class SchemaCheck
{
    private const int ShownErrors = 5;

    private static readonly EvaluationOptions s_fast = Options(global::Json.Schema.OutputFormat.Flag);
    private static readonly EvaluationOptions s_full = Options(global::Json.Schema.OutputFormat.List);

    private readonly JsonSchema _schema;

    /// <summary>Reads a schema.</summary>
    /// <exception cref="ArgumentException">The text is not a JSON schema.</exception>
    public SchemaCheck(string schema)
    {
        try
        {
            // Registries of its own: two schemas of one process may have the same $id.
            var build = new BuildOptions { SchemaRegistry = new SchemaRegistry() };
            _schema = JsonSchema.FromText(schema, build);
            using JsonDocument probe = JsonDocument.Parse("{}");
            _schema.Evaluate(probe.RootElement, s_fast); // references are resolved late
        }
        catch (Exception e) when (e is JsonSchemaException or RefResolutionException or JsonException or RegexParseException
            or ArgumentException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new ArgumentException($"The schema is not valid: {e.Message}", e);
        }
    }

    /// <summary>Returns why a text does not fit the schema, or <see langword="null"/> if it does.</summary>
    public string? ErrorOf(string text)
    {
        if (!JsonAnswer.TryParse(text, out JsonDocument? document, out string? error))
        {
            return error;
        }

        using (document)
        {
            try
            {
                return _schema.Evaluate(document.RootElement, s_fast).IsValid ? null
                    : Describe(_schema.Evaluate(document.RootElement, s_full));
            }
            catch (RegexMatchTimeoutException e)
            {
                return $"The pattern {e.Pattern} of the schema takes too long to match the answer.";
            }
        }
    }

    private static EvaluationOptions Options(global::Json.Schema.OutputFormat format) =>
        new() { OutputFormat = format, RequireFormatValidation = true };

    private static string Describe(EvaluationResults results)
    {
        string[] errors =
        [
            .. from detail in (results.Details ?? []).Prepend(results)
               where detail.Errors is { Count: > 0 }
               from error in detail.Errors!
               let place = detail.InstanceLocation.ToString()
               orderby place.Length, place, error.Key
               select $"{(place.Length == 0 ? "the answer" : place)}: {error.Value}",
        ];
        string[] distinct = [.. errors.Distinct()];
        int more = distinct.Length - ShownErrors;
        string rest = more > 0 ? FormattableString.Invariant($"; and {more} more errors") : "";
        return distinct.Length == 0 ? "The answer does not fit the schema." : $"{string.Join("; ", distinct.Take(ShownErrors))}{rest}.";
    }
}
