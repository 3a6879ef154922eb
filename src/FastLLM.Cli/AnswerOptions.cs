using System.CommandLine;
using System.Text;

namespace FastLLM.Cli;

/// <summary>Reads the options that say what answers must look like.</summary>
internal sealed class AnswerOptions
{
    private const long MaxSchemaBytes = 1 << 20;

    private readonly Option<string?> _labels = CliOption.Text("--labels", "A,B,…",
        "Labels of which each answer must be one, such as good,bad,mixed. They fill the column \"label\" of a table.");

    private readonly Option<string?> _fields = CliOption.Text("--fields", "NAME:TYPE,…",
        "Fields of the JSON that each answer must be, such as score:number,topic:string. Types: string, number, integer, boolean, "
        + "or values such as good|bad; [] for a list, ? for null. Each field fills a column of a table.");

    private readonly Option<string?> _schema = CliOption.Text("--schema", "FILE",
        "JSON Schema that each answer must fit. Its properties fill columns of a table.");

    private readonly Option<bool> _inPrompt = CliOption.Flag("--schema-in-prompt",
        "Describe labels, fields or schema in the system message, for servers without response_format. Always on for anthropic and "
        + "deepseek.");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command) => command.Add("Answers", _labels, _fields, _schema, _inPrompt);

    /// <summary>Returns the form of the answers; <see langword="null"/> for any answer.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="knowsSchemas">Whether the provider knows <c>response_format</c> with a schema.</param>
    /// <exception cref="UsageException">An option is invalid, or several contradict each other.</exception>
    public AnswerForm? Read(ParseResult result, bool knowsSchemas)
    {
        (string? labels, string? fields, string? schema) = (result.GetValue(_labels), result.GetValue(_fields), result.GetValue(_schema));
        bool inPrompt = result.GetValue(_inPrompt);
        if (new[] { labels, fields, schema }.Count(given => given is not null) > 1)
        {
            throw new UsageException("Only one of --labels, --fields and --schema can be used.");
        }

        try
        {
            AnswerForm? form = labels is not null ? AnswerForm.OfLabels(labels.Split(','))
                : fields is not null ? AnswerForm.OfFields(fields)
                : schema is not null ? AnswerForm.OfSchema(TextOf(schema))
                : null;
            return form is null && inPrompt ? throw new UsageException("--schema-in-prompt requires --labels, --fields or --schema.")
                : inPrompt || !knowsSchemas ? form?.InPrompt()
                : form;
        }
        catch (ArgumentException e)
        {
            string option = labels is not null ? "--labels"
                : fields is not null ? "--fields"
                : $"--schema {TerminalText.Clean(schema!, 200)}";
            throw new UsageException($"{option}: {TerminalText.Clean(e.Message, 1000)}", e);
        }
    }

    private static string TextOf(string path)
    {
        if (!File.Exists(path))
        {
            throw new UsageException($"--schema: {InputFile.NotFound(path, "a JSON Schema").Message}");
        }

        try
        {
            return new FileInfo(path) is { Exists: true, Length: > MaxSchemaBytes }
                ? throw new UsageException($"--schema: {TerminalText.Clean(path)} is larger than {MaxSchemaBytes >> 20} MB.")
                : File.ReadAllText(path, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
        {
            throw new UsageException($"--schema: cannot read {TerminalText.Clean(path)}. {TerminalText.Clean(e.Message, 300)}", e);
        }
    }
}
