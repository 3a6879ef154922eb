using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>The options that make requests of plain rows.</summary>
internal sealed class TemplateOptions
{
    private const long MaxTemplateBytes = 16 << 20;

    private readonly Option<string?> _template = new("--template") { HelpName = "TEXT|@FILE", Description = "What to ask of each row: {{column}} stands for its value. @FILE.json holds several messages." };
    private readonly Option<string?> _system = new("--system") { HelpName = "TEXT|@FILE", Description = "The system message; it may name columns too." };
    private readonly Option<string[]> _set = new("--set") { HelpName = "NAME=JSON|NAME=@FILE", Description = "A parameter of the requests made by --template, such as temperature=0.2; may be given several times." };
    private readonly Option<string?> _endpoint = new("--endpoint") { HelpName = "PATH", Description = "Where the requests made by --template go. Left out: /v1/chat/completions." };
    private readonly Option<string?> _idColumn = new("--id-column") { HelpName = "NAME", Description = "The column that holds the rows' ids. Left out: custom_id, else the line number." };
    private readonly Option<bool> _allowMissing = new("--allow-missing") { Description = "Take a missing value for the empty text." };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_template, _system, _set, _endpoint, _idColumn, _allowMissing])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What was given; <see langword="null"/> without a template.</summary>
    /// <exception cref="UsageException">It is wrong.</exception>
    public RowTemplate? Read(ParseResult result)
    {
        if (result.GetValue(_template) is not { } given)
        {
            Option? alone = Array.Find((Option[])[_system, _set, _endpoint, _idColumn, _allowMissing], option => result.GetResult(option) is { Implicit: false });
            return alone is null ? null : throw new UsageException($"{alone.Name} goes with --template.");
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
            throw new UsageException(TerminalText.Clean(e.Message.Split(" (Parameter", 2)[0], 1000), e);
        }
    }

    private static void AddParameter(RowTemplate template, string parameter)
    {
        if (parameter.Split('=', 2) is not [{ Length: > 0 } name, var value])
        {
            throw new UsageException($"--set \"{TerminalText.Clean(parameter, 40)}\" is not NAME=JSON, such as temperature=0.2.");
        }

        if (!template.Parameters.TryAdd(name, TextOf(value, "--set")))
        {
            throw new UsageException($"--set {TerminalText.Clean(name, 40)} is given twice.");
        }
    }

    // @FILE is the file's text without the line feed that editors put at its end; @@ is an @.
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
            if (new FileInfo(path) is { Exists: true, Length: > MaxTemplateBytes })
            {
                throw new UsageException($"{option}: {TerminalText.Clean(path)} is larger than {MaxTemplateBytes >> 20} MB.");
            }

            string text = File.ReadAllText(path, new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
            return text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UsageException($"{option}: {TerminalText.Clean(path)} cannot be read: {TerminalText.Clean(e.Message, 300)} (A text that begins with @: write @@.)", e);
        }
    }
}
