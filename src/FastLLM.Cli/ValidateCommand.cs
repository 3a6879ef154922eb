using System.CommandLine;
using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm validate</c>, which checks an input as a run does before its first send.</summary>
internal static class ValidateCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var input = new InputOptions();
        var command = new CliCommand(
            "validate", "Check an input without sending anything. Report invalid lines, and what batch APIs would reject.");
        input.AddTo(command);
        command.AddExample("Check a file of requests:", "fastllm validate samples/questions.jsonl");
        command.AddExample(
            "Check a table with a template:",
            "fastllm validate samples/jobs/reviews.csv --model m --template 'Good or bad? {{text}}'");
        command.SetAction((result, cancellationToken) =>
            ValidateAsync(input.Read(result), result.InvocationConfiguration, cancellationToken));
        return command;
    }

    private static async Task<InputReport> CheckAsync(JobOptions file, CancellationToken cancellationToken)
    {
        try
        {
            return await Job.CheckAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UsageException(FileFault.Describe(e), e);
        }
        catch (ArgumentException e)
        {
            throw UsageException.From(e);
        }
    }

    private static async Task<int> ValidateAsync(JobOptions file, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        file.OnNotice = notice => console.Error.WriteLine($"note: {TerminalText.Clean(notice, 1000)}");
        InputReport report = await CheckAsync(file, cancellationToken);
        foreach ((long line, string error) in report.Errors)
        {
            await console.Error.WriteLineAsync(FormattableString.Invariant(
                $"{file.Input}: line {line}: {TerminalText.Clean(error, 1000)}"));
        }

        if (report.ErrorCount > report.Errors.Count)
        {
            await console.Error.WriteLineAsync(FormattableString.Invariant($"… and {report.ErrorCount - report.Errors.Count:N0} more"));
        }

        foreach (string warning in report.Warnings)
        {
            await console.Error.WriteLineAsync($"note: {TerminalText.Clean(warning, 1000)}");
        }

        await console.Output.WriteLineAsync(FormattableString.Invariant(
            $"{report.Rows:N0} rows, {report.Distinct:N0} distinct requests, {report.ErrorCount:N0} errors"));
        return report.ErrorCount == 0 ? ExitCode.Ok : ExitCode.Usage;
    }
}
