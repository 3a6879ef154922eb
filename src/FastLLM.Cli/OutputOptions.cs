using System.CommandLine;
using FastLLM.Jobs.Output;

namespace FastLLM.Cli;

/// <summary>Reads the options of the output and of resuming it.</summary>
internal sealed class OutputOptions
{
    private readonly Option<string?> _output = CliOption.Text("--output", "FILE",
        "Output file, whose ending decides its form: .jsonl, .json, .csv, .tsv (each also with .gz), .xlsx or .parquet; - for standard "
        + "output. Default: the name of INPUT with .out.jsonl or, for a table, with .out and its own ending.", "-o");

    private readonly Option<string?> _format = CliOption.Text("--output-format", "openai|rows",
        "OpenAI batch output lines, or rows: the columns of the input and the answer. Default: openai for .jsonl, rows for other "
        + "endings.");

    private readonly Option<string?> _order = CliOption.Text(
        "--order", "input|completion", "Order of the rows in the finished output. Default: input, or completion for standard output.");

    private readonly Option<bool> _fresh = CliOption.Flag(
        "--fresh", "Start over instead of resuming. An existing output is renamed to .bak.");

    private readonly Option<bool> _retryFailed = CliOption.Flag("--retry-failed", "Send rows again that failed in an earlier run.");
    private readonly Option<bool> _skipInvalid = CliOption.Flag("--skip-invalid",
        "Record invalid rows as failed and process the others, instead of rejecting the input. Always on for standard input.");

    private readonly Option<bool> _partial = CliOption.Flag(
        "--partial", "Write the output from what is answered so far, also during a run. Send nothing; exit with 3 if rows are missing.");

    private readonly Option<bool> _noGuard = CliOption.Flag("--no-formula-guard",
        "Write answers that begin like a formula without an apostrophe before them (CSV and TSV).");

    private readonly Option<bool> _noMetadata = CliOption.Flag("--no-fastllm-member", "Omit the \"fastllm\" member from the output.");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command)
    {
        command.Add("Input", _skipInvalid);
        command.Add("Output", _output, _format, _order, _fresh, _retryFailed, _partial, _noGuard, _noMetadata);
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
        JobOptions job = input.Read(result);
        job.OutputFormat = format;
        job.Fresh = result.GetValue(_fresh);
        job.RetryFailed = result.GetValue(_retryFailed);
        job.SkipInvalid = result.GetValue(_skipInvalid);
        job.IncludeMetadata = !result.GetValue(_noMetadata);
        job.GuardFormulas = !result.GetValue(_noGuard);
        ReadOutput(result, job);
        job.Order = (result.GetValue(_order), job.Output) switch
        {
            ("input", _) or (null, not Job.Pipe) => ResultOrder.Input,
            ("completion", _) or (null, _) => ResultOrder.Completion,
            (var other, _) => throw UsageException.Invalid("--order", other, "Use input or completion."),
        };
        RefuseNamedFiles(result, job);
        return job;
    }

    /// <summary>Returns whether to write the output from what is answered so far.</summary>
    /// <exception cref="UsageException">Another option starts over, or sends rows again.</exception>
    public bool IsPartial(ParseResult result)
    {
        if (!result.GetValue(_partial))
        {
            return false;
        }

        Option? sends = Array.Find((Option[])[_fresh, _retryFailed], option => result.GetResult(option) is { Implicit: false });
        return sends is null ? true : throw new UsageException($"--partial sends nothing, so it does not fit together with {sends.Name}.");
    }

    /// <summary>Returns the command line that resumes this run: the same words without <c>--fresh</c> and <c>--partial</c>, quoted for a
    /// shell.</summary>
    public string ResumeCommand(ParseResult result)
    {
        List<string> words = [.. result.Tokens.Select(token => token.Value)];
        foreach (Option flag in (Option[])[_fresh, _partial])
        {
            int at = words.IndexOf(flag.Name);
            if (at >= 0)
            {
                words.RemoveRange(at, at + 1 < words.Count && bool.TryParse(words[at + 1], out _) ? 2 : 1);
            }
        }

        return string.Join(' ', ["fastllm", .. words.Select(TerminalText.Quote)]);
    }

    // Files that options name, such as --prices FILE and --template @FILE, are never overwritten. The input has a check of its own.
    private void RefuseNamedFiles(ParseResult result, JobOptions job)
    {
        List<string> words = [.. result.Tokens.Select(token => token.Value)];
        words.Remove(result.GetValue(_output) ?? "");
        string? named = words.Where(word => word != job.Input).Select(word => word.StartsWith('@') ? word[1..] : word).FirstOrDefault(
            word => File.Exists(word) && (OutputPath.IsWritten(word, job.Output) || OutputPath.IsWritten(word, job.Shape.Log)));
        if (job.Output != Job.Pipe && named is not null)
        {
            string shown = TerminalText.Clean(named);
            throw new UsageException($"The command reads {shown}, which a run that writes {TerminalText.Clean(job.Output)} would overwrite, "
                + "rename or delete. Name another output (-o), or rename the file.");
        }
    }

    private void ReadOutput(ParseResult result, JobOptions job)
    {
        if (result.GetValue(_output) is { } output)
        {
            job.Output = output;
            return;
        }

        Job.SetDefaultOutput(job);
    }
}
