using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Reads the options of the output and of resuming it.</summary>
internal sealed class OutputOptions
{
    private readonly Option<string?> _output = CliOption.Text("--output", "FILE",
        "Output file; - for standard output. Default: the name of INPUT with .out.jsonl, or with .out.csv or .out.tsv for the "
        + "rows of a table.", "-o");

    private readonly Option<string?> _format = CliOption.Text("--output-format", "openai|rows",
        "OpenAI batch output lines, or rows: the columns of the input and the answer. Default: rows if the output ends in .csv or "
        + ".tsv, otherwise openai.");

    private readonly Option<string?> _order = CliOption.Text(
        "--order", "input|completion", "Order of the rows in the finished output. Default: input, or completion for standard output.");

    private readonly Option<bool> _fresh = CliOption.Flag(
        "--fresh", "Start over instead of resuming. An existing output is renamed to .bak.");

    private readonly Option<bool> _retryFailed = CliOption.Flag("--retry-failed", "Send rows again that failed in an earlier run.");
    private readonly Option<bool> _skipInvalid = CliOption.Flag("--skip-invalid",
        "Record invalid rows as failed and process the others, instead of rejecting the input. Always on for standard input.");

    private readonly Option<bool> _noMetadata = CliOption.Flag("--no-fastllm-member", "Omit the \"fastllm\" member from the output.");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command)
    {
        command.Add("Input", _skipInvalid);
        command.Add("Output", _output, _format, _order, _fresh, _retryFailed, _noMetadata);
    }

    /// <summary>Reads the options, together with those of the input, into those of a job.</summary>
    /// <exception cref="UsageException">An option is invalid.</exception>
    public JobOptions Read(ParseResult result, InputOptions input)
    {
        OutputFormat format = result.GetValue(_format) switch
        {
            null => OutputFormat.Auto,
            "openai" => OutputFormat.OpenAI,
            "rows" => OutputFormat.Rows,
            var other => throw UsageException.Invalid("--output-format", other, "Use openai or rows."),
        };
        JobOptions job = input.Read(result, result.GetValue(_output), format);
        job.Fresh = result.GetValue(_fresh);
        job.RetryFailed = result.GetValue(_retryFailed);
        job.SkipInvalid = result.GetValue(_skipInvalid);
        job.IncludeMetadata = !result.GetValue(_noMetadata);
        job.Order = (result.GetValue(_order), job.Output) switch
        {
            ("input", _) or (null, not Job.Pipe) => ResultOrder.Input,
            ("completion", _) or (null, _) => ResultOrder.Completion,
            (var other, _) => throw UsageException.Invalid("--order", other, "Use input or completion."),
        };
        return job;
    }

    /// <summary>Returns the command line that resumes this run: the same words without <c>--fresh</c>, quoted for a shell.</summary>
    public string ResumeCommand(ParseResult result)
    {
        List<string> words = [.. result.Tokens.Select(token => token.Value)];
        int fresh = words.IndexOf(_fresh.Name);
        if (fresh >= 0)
        {
            words.RemoveRange(fresh, fresh + 1 < words.Count && bool.TryParse(words[fresh + 1], out _) ? 2 : 1);
        }

        return string.Join(' ', ["fastllm", .. words.Select(TerminalText.Quote)]);
    }
}
