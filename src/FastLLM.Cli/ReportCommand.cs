using System.CommandLine;
using System.Globalization;
using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm report</c>, which creates an HTML report of a run.</summary>
internal static class ReportCommand
{
    private const string Ending = ".report.html";

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var output = new Argument<string>("OUTPUT")
        {
            Description = "Output of a run (for a table, its log is read), of the OpenAI Batch API, or of vLLM's run-batch.",
        };
        var html = CliOption.Text("--output", "FILE",
            "Report file; - for standard output. Replaces an earlier report. Default: the name of OUTPUT with .report.html.", "-o");
        var input = CliOption.Text("--input", "FILE",
            "Input of the run, for the title and the questions. Default: the file of the same folder whose rows OUTPUT has.",
            "-i");
        var open = CliOption.Flag("--open", "Open the report in the browser.");
        var json = CliOption.Flag("--json", "Print the numbers of the report as a JSON object.");
        var command = new CliCommand("report", "Create a searchable HTML report of a run.");
        command.Arguments.Add(output);
        command.Options.Add(html);
        command.Options.Add(input);
        command.Options.Add(open);
        command.Options.Add(json);
        command.AddExample("Create samples/questions.out.report.html:", "fastllm report samples/questions.out.jsonl");
        command.AddExample("Create it, and open it in the browser:", "fastllm report samples/questions.out.jsonl --open");
        command.SetAction((result, cancellationToken) => ReportAsync(
            new Files(result.GetValue(output)!, result.GetValue(input), result.GetValue(html)),
            result.GetValue(json),
            result.GetValue(open),
            result.InvocationConfiguration,
            cancellationToken));
        return command;
    }

    private static async Task<int> ReportAsync(
        Files files, bool json, bool open, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        (string output, string? input, string? html) = files;
        if (input is not null && !File.Exists(input))
        {
            throw InputFile.NotFound(input, "the input of a run");
        }

        if (open && html == Job.Pipe)
        {
            throw new UsageException("--open requires a file: -o - writes the report to standard output.");
        }

        if (!File.Exists(output))
        {
            throw InputFile.NotFound(output, "the output of a run");
        }

        if (html == Job.Pipe && json)
        {
            throw new UsageException("-o - and --json both write to standard output. Use one of them.");
        }

        html ??= DefaultPage(output);
        OutputReport report = await WriteAsync(output, input, html, cancellationToken);
        if (json)
        {
            await console.Output.WriteLineAsync(report.ToJson());
        }
        else
        {
            await console.Error.WriteLineAsync(FormattableString.Invariant(
                $"{report.Rows:N0} rows: {report.Succeeded:N0} answered, {report.Failed:N0} failed{Damaged(report)}."));
            if (html != Job.Pipe)
            {
                await console.Output.WriteLineAsync(TerminalText.Clean(html));
            }
        }

        if (open && !Browser.TryOpen(html))
        {
            await console.Error.WriteLineAsync($"No browser could be started. Open the file yourself: {TerminalText.Clean(html)}");
        }

        return ExitCode.Ok;
    }

    private static async Task<OutputReport> WriteAsync(string output, string? input, string html, CancellationToken cancellationToken)
    {
        try
        {
            if (html != Job.Pipe)
            {
                return await OutputReport.WriteAsync(output, html, input, cancellationToken);
            }

            await using Stream page = StandardStreams.OpenOutput();
            return await OutputReport.WriteAsync(output, page, input, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UsageException(TerminalText.Clean(FileFault.Describe(e), 1000), e);
        }
    }

    private static string Damaged(OutputReport report) =>
        report.Damaged == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"; {report.Damaged:N0} lines are not records");

    private sealed record Files(string Output, string? Input, string? Html);

    private static string DefaultPage(string output)
    {
        string name = Path.GetFileName(output);
        string stem = name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) ? name[..^".jsonl".Length] : name;
        return Path.Combine(Path.GetDirectoryName(output) ?? "", stem + Ending);
    }
}
