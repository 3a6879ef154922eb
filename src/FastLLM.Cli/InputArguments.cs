using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>The input and how it is read: for every command that reads one.</summary>
internal sealed class InputArguments
{
    private readonly Argument<string> _input = new("INPUT") { Description = "A file of requests, one JSON object a line, or of plain rows for --template (JSON lines, CSV, TSV); also packed with gzip. - is standard input." };
    private readonly Option<string> _format = new("--input-format") { HelpName = "auto|openai|cookbook|jsonl|csv|tsv", Description = "How rows are read.", DefaultValueFactory = _ => "auto" };
    private readonly Option<string?> _model = new("--model") { HelpName = "M", Description = "The model for rows that name none." };
    private readonly Option<long?> _limit = new("--limit") { HelpName = "N", Description = "Take the first N rows only." };
    private readonly Option<int> _samples = new("--samples") { HelpName = "N", Description = "Ask each row N times; ids become id#0, id#1 …", DefaultValueFactory = _ => 1 };
    private readonly Option<bool> _noDedup = new("--no-dedup") { Description = "Ask equal rows one by one, instead of sharing one answer." };

    private readonly TemplateOptions _template = new();

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Arguments.Add(_input);
        foreach (Option option in (Option[])[_format, _model, _limit, _samples, _noDedup])
        {
            command.Options.Add(option);
        }

        _template.AddTo(command);
    }

    /// <summary>What was given.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="output">The output that was given, if one was.</param>
    /// <param name="format">What is to stand in the output.</param>
    /// <exception cref="UsageException">There is no such input, or an option does not fit.</exception>
    public JobOptions Read(ParseResult result, string? output, OutputFormat format = OutputFormat.Auto)
    {
        string input = result.GetValue(_input)!;
        if (input != Job.Pipe && !File.Exists(input))
        {
            throw new UsageException(Directory.Exists(input)
                ? $"{TerminalText.Clean(input)} is a folder. Give a file of requests."
                : $"There is no file {TerminalText.Clean(input)}.");
        }

        try
        {
            return new JobOptions
            {
                Input = input,
                Output = output ?? DefaultOutput(input, format),
                OutputFormat = format,
                InputFormat = Format(result.GetValue(_format)!),
                Template = _template.Read(result),
                Model = result.GetValue(_model),
                Limit = result.GetValue(_limit),
                Samples = result.GetValue(_samples),
                NoDedup = result.GetValue(_noDedup),
            };
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new UsageException($"--{e.ParamName?.ToLowerInvariant()} must be at least 1.", e);
        }
    }

    private static string DefaultOutput(string input, OutputFormat format)
    {
        if (input == Job.Pipe)
        {
            return Job.Pipe;
        }

        string name = Path.GetFileName(input);
        name = name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? name[..^".gz".Length] : name;
        string ending = Path.GetExtension(name);
        string stem = Path.GetFileNameWithoutExtension(name);
        string output = ending.ToUpperInvariant() switch
        {
            ".JSONL" => stem + ".out.jsonl",
            ".CSV" or ".TSV" when format == OutputFormat.Rows => stem + ".out" + ending,
            _ => name + ".out.jsonl", // a table and JSON lines may have one name but for the ending
        };
        return Path.Combine(Path.GetDirectoryName(input) ?? "", output);
    }

    private static InputFormat Format(string name) => name switch
    {
        "auto" => InputFormat.Auto,
        "openai" => InputFormat.OpenAI,
        "cookbook" => InputFormat.Cookbook,
        "jsonl" => InputFormat.Jsonl,
        "csv" => InputFormat.Csv,
        "tsv" => InputFormat.Tsv,
        _ => throw new UsageException($"--input-format \"{TerminalText.Clean(name, 40)}\" is none of auto, openai, cookbook, jsonl, csv, tsv."),
    };
}
