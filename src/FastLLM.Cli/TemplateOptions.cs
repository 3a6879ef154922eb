using System.CommandLine;
using System.Text;

namespace FastLLM.Cli;

/// <summary>Reads the options that turn rows into requests.</summary>
internal sealed class TemplateOptions
{
    private const long MaxTemplateBytes = 16 << 20;

    private readonly Option<string?> _template = CliOption.Text("--template", "TEXT|@FILE",
        "Prompt for each row; {{column}} inserts the value of a column. @FILE reads the prompt from a file, and @FILE.json reads a "
        + "list of messages.");

    private readonly Option<string?> _system = CliOption.Text(
        "--system", "TEXT|@FILE", "System message for --template. It may contain {{column}}.");

    private readonly Option<string[]> _set = new("--set")
    {
        HelpName = "NAME=JSON",
        Description = "Request parameter for --template, such as temperature=0.2. NAME=@FILE reads the value from a file. May be repeated.",
    };

    private readonly Option<string?> _endpoint = CliOption.Text(
        "--endpoint", "PATH", "Endpoint of the requests made by --template. Default: /v1/chat/completions.");

    private readonly Option<string?> _idColumn = CliOption.Text(
        "--id-column", "NAME", "Column that holds the IDs of the rows. Default: custom_id if there is one, otherwise the line number.");

    private readonly Option<bool> _allowMissing = CliOption.Flag("--allow-missing", "Replace missing values with empty text.");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command) => command.Add("Requests", _template, _system, _set, _endpoint, _idColumn, _allowMissing);

    /// <summary>Returns the template; <see langword="null"/> without <c>--template</c>.</summary>
    /// <exception cref="UsageException">The template or one of its parameters is invalid.</exception>
    public RowTemplate? Read(ParseResult result)
    {
        if (result.GetValue(_template) is not { } given)
        {
            Option? alone = Array.Find(
                (Option[])[_system, _set, _endpoint, _idColumn, _allowMissing],
                option => result.GetResult(option) is { Implicit: false });
            return alone is null ? null : throw new UsageException(
                $"{alone.Name} requires --template, the prompt that makes a request of each row, such as "
                + "--template 'Summarize: {{text}}'. Lines that are requests already are sent as they are.");
        }

        bool isMessages = given.StartsWith('@') && given.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
        string text = TextOf(given, "--template");
        var template = new RowTemplate
        {
            Prompt = isMessages ? null : text,
            Messages = isMessages ? text : null,
            System = result.GetValue(_system) is { } system ? TextOf(system, "--system") : null,
            IdColumn = result.GetValue(_idColumn),
            AllowMissing = result.GetValue(_allowMissing),
        };
        template.Endpoint = result.GetValue(_endpoint) ?? template.Endpoint;
        foreach (string parameter in result.GetValue(_set) ?? [])
        {
            AddParameter(template, parameter);
        }

        try
        {
            template.Check();
            return template;
        }
        catch (ArgumentException e)
        {
            throw UsageException.From(e);
        }
    }

    private static void AddParameter(RowTemplate template, string parameter)
    {
        if (parameter.Split('=', 2) is not [{ Length: > 0 } name, var value])
        {
            throw UsageException.Invalid("--set", parameter, "Use NAME=JSON, such as temperature=0.2.");
        }

        if (!template.Parameters.TryAdd(name, TextOf(value, "--set")))
        {
            throw new UsageException($"--set {TerminalText.Clean(name, 40)} occurs twice. Set each parameter once.");
        }
    }

    // @FILE stands for the text of the file without the final line feed that editors add; @@ stands for a literal @.
    private static string TextOf(string given, string option)
    {
        if (!given.StartsWith('@'))
        {
            return given;
        }

        string path = given[1..];
        if (path.StartsWith('@'))
        {
            return path;
        }

        try
        {
            if (!File.Exists(path))
            {
                UsageException missing = InputFile.NotFound(path, "text");
                throw new UsageException($"{option}: {missing.Message} To begin a text with @, use @@.");
            }

            if (new FileInfo(path) is { Length: > MaxTemplateBytes })
            {
                throw new UsageException($"{option}: {TerminalText.Clean(path)} is larger than {MaxTemplateBytes >> 20} MB.");
            }

            string text = File.ReadAllText(path, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
            return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UsageException(
                $"{option}: cannot read {TerminalText.Clean(path)}. {TerminalText.Clean(e.Message, 300)} To begin a text with @, use @@.",
                e);
        }
    }
}
