using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Reads the input and the options that say how it becomes requests, for every command that has an input.</summary>
internal sealed class InputOptions
{
    private readonly Argument<string> _input = new("INPUT")
    {
        Description = "File of requests (JSON Lines or a JSON array), or of rows for --template (also CSV, TSV, Excel or Parquet). Text "
            + "may be compressed with gzip. Use - for standard input.",
    };

    private readonly Option<string> _format = CliOption.WithDefault(
        "--input-format", "FORMAT", "auto", "Input format: auto, openai, cookbook, jsonl, csv or tsv. Excel, Parquet, JSON arrays and "
        + "gzip are always detected.");

    private readonly Option<string?> _sheet = CliOption.Text(
        "--sheet", "NAME", "Sheet of an Excel workbook. Default: the first visible sheet.");

    private readonly Option<long?> _limit = new("--limit") { HelpName = "N", Description = "Process only the first N rows." };
    private readonly Option<int?> _sample = new("--sample")
    {
        HelpName = "N",
        Description = "Process N random rows, in input order. A larger sample contains a smaller one.",
    };

    private readonly Option<int> _seed = CliOption.WithDefault("--seed", "N", 0, "Seed of --sample.");
    private readonly Option<string?> _model = CliOption.Text("--model", "M", "Model for rows that do not name one.");
    private readonly Option<int> _samples = CliOption.WithDefault(
        "--samples", "N", 1, "Number of responses per row; IDs become id#0, id#1, and so on.");

    private readonly Option<bool> _noDedup = CliOption.Flag(
        "--no-dedup", "Send identical rows separately instead of sharing one response.");

    private readonly TemplateOptions _template = new();

    /// <summary>Adds the argument and the options to a command.</summary>
    public void AddTo(CliCommand command)
    {
        command.Arguments.Add(_input);
        command.Add("Input", _format, _sheet, _limit, _sample, _seed);
        _template.AddTo(command);
        command.Add("Requests", _model, _samples, _noDedup);
    }

    /// <summary>Reads the options into those of a job.</summary>
    /// <param name="result">The command line.</param>
    /// <remarks>The output is not read.</remarks>
    /// <exception cref="UsageException">The input does not exist, or an option is invalid.</exception>
    public JobOptions Read(ParseResult result)
    {
        string input = result.GetValue(_input)!;
        if (input == Job.Pipe)
        {
            StandardStreams.RequireInput();
        }

        if (input != Job.Pipe && !File.Exists(input))
        {
            throw InputFile.NotFound(input, "requests or rows");
        }

        if (result.GetResult(_seed) is { Implicit: false } && result.GetValue(_sample) is null)
        {
            throw new UsageException("--seed requires --sample. To set the seed of the requests: --set seed=1.");
        }

        try
        {
            return new JobOptions
            {
                Input = input,
                Output = Job.Pipe,
                InputFormat = Format(result.GetValue(_format)!),
                Sheet = result.GetValue(_sheet),
                Template = _template.Read(result),
                Model = result.GetValue(_model),
                Limit = result.GetValue(_limit),
                RandomRows = result.GetValue(_sample),
                RandomSeed = result.GetValue(_seed),
                Samples = result.GetValue(_samples),
                NoDedup = result.GetValue(_noDedup),
            };
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new UsageException(
                e.ParamName switch
                {
                    nameof(JobOptions.Samples) => "--samples must be from 1 to 10,000.",
                    nameof(JobOptions.RandomRows) => "--sample must be from 1 to 10,000,000.",
                    _ => "--limit must be at least 1.",
                },
                e);
        }
    }

    private static InputFormat Format(string name) => name switch
    {
        "auto" => InputFormat.Auto,
        "openai" => InputFormat.OpenAI,
        "cookbook" => InputFormat.Cookbook,
        "jsonl" => InputFormat.Jsonl,
        "csv" => InputFormat.Csv,
        "tsv" => InputFormat.Tsv,
        _ => throw UsageException.Invalid("--input-format", name, "Use auto, openai, cookbook, jsonl, csv or tsv."),
    };
}
