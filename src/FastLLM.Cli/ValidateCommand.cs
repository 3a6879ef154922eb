using System.CommandLine;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary><c>fastllm validate</c>: the check that a run makes before its first send, and nothing else.</summary>
internal static class ValidateCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var input = new InputArguments();
        var command = new Command("validate", "Check a file of requests without sending anything: name each mistake with its line, and what batch APIs would not take.");
        input.AddTo(command);
        command.SetAction((result, cancellationToken) => ValidateAsync(input.Read(result, output: null), result.InvocationConfiguration, cancellationToken));
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
            throw new UsageException(e.Message, e);
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message.Split(" (Parameter", 2)[0], e);
        }
    }

    private static async Task<int> ValidateAsync(JobOptions file, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        InputReport report = await CheckAsync(file, cancellationToken);
        foreach ((long line, string error) in report.Errors)
        {
            await console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{file.Input}: line {line}: {TerminalText.Clean(error, 1000)}"));
        }

        if (report.ErrorCount > report.Errors.Count)
        {
            await console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"… and {report.ErrorCount - report.Errors.Count:N0} more"));
        }

        foreach (string warning in report.Warnings)
        {
            await console.Error.WriteLineAsync($"note: {TerminalText.Clean(warning, 1000)}");
        }

        await console.Output.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture, $"{report.Rows:N0} rows, {report.Distinct:N0} different questions, {report.ErrorCount:N0} mistakes"));
        return report.ErrorCount == 0 ? ExitCode.Ok : ExitCode.Usage;
    }
}
