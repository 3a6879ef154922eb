using System.CommandLine;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary><c>fastllm report</c>: one page that shows what became of a run.</summary>
internal static class ReportCommand
{
    private const string Ending = ".report.html";

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var output = new Argument<string>("OUTPUT") { Description = "What a run has written (of a table the log beside it is read); or the output of OpenAI's batches, or of vLLM's run-batch." };
        var html = new Option<string?>("-o", "--output") { HelpName = "FILE", Description = "The page; an earlier report there is replaced. - is standard output. [default: OUTPUT's name with .report.html, beside it]" };
        var json = new Option<bool>("--json") { Description = "Print the numbers of the page as one JSON object." };
        var command = new Command("report", "Make one page of an output that shows what became of the rows: failures by kind, latency, tokens, rows over time, and a table to search.");
        command.Arguments.Add(output);
        command.Options.Add(html);
        command.Options.Add(json);
        command.SetAction((result, cancellationToken) =>
            ReportAsync(result.GetValue(output)!, result.GetValue(html), result.GetValue(json), result.InvocationConfiguration, cancellationToken));
        return command;
    }

    private static async Task<int> ReportAsync(string output, string? html, bool json, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        if (!File.Exists(output))
        {
            throw new UsageException(Directory.Exists(output)
                ? $"{TerminalText.Clean(output)} is a folder. Give the output of a run."
                : $"There is no file {TerminalText.Clean(output)}.");
        }

        if (html == Job.Pipe && json)
        {
            throw new UsageException("With -o - the page goes to standard output; --json would mix with it. Leave one of them out.");
        }

        html ??= DefaultPage(output);
        OutputReport report = await WriteAsync(output, html, cancellationToken);
        if (json)
        {
            await console.Output.WriteLineAsync(report.ToJson());
        }
        else
        {
            await console.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"{report.Rows:N0} rows: {report.Succeeded:N0} answered, {report.Failed:N0} failed{Damaged(report)}."));
            if (html != Job.Pipe)
            {
                await console.Output.WriteLineAsync(TerminalText.Clean(html));
            }
        }

        return ExitCode.Ok;
    }

    private static async Task<OutputReport> WriteAsync(string output, string html, CancellationToken cancellationToken)
    {
        try
        {
            if (html != Job.Pipe)
            {
                return await OutputReport.WriteAsync(output, html, cancellationToken);
            }

            await using Stream page = Console.OpenStandardOutput();
            return await OutputReport.WriteAsync(output, page, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UsageException(TerminalText.Clean(e.Message, 1000), e);
        }
    }

    private static string Damaged(OutputReport report) =>
        report.Damaged == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"; {report.Damaged:N0} lines are no records");

    private static string DefaultPage(string output)
    {
        string name = Path.GetFileName(output);
        string stem = name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) ? name[..^".jsonl".Length] : name;
        return Path.Combine(Path.GetDirectoryName(output) ?? "", stem + Ending);
    }
}
