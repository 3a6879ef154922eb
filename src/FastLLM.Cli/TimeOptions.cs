using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Reads the options of timeouts, streaming, retries and the error limit.</summary>
internal sealed class TimeOptions
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    private readonly Option<string> _timeout = CliOption.WithDefault("--timeout", "TIME", "600s", "Maximum duration of one attempt.");
    private readonly Option<string?> _firstByte = CliOption.Text(
        "--first-byte-timeout", "TIME", "Maximum wait for the first byte of a response. Default: the value of --timeout.");

    private readonly Option<string?> _idle = CliOption.Text("--idle-timeout", "TIME",
        "Maximum silence within a response. Default: 60s in a stream after its first content, else the value of --timeout.");

    private readonly Option<string?> _total = CliOption.Text(
        "--total-timeout", "TIME", "Maximum duration of a row, including retries and waits. Default: none.");

    private readonly Option<string> _stream = CliOption.WithDefault("--stream", "auto|off", "off",
        "auto requests streamed responses to detect stalls early; the output stays the same. off sends each row as it is.");

    private readonly Option<int> _retries = CliOption.WithDefault("--retries", "N", 2, "Maximum number of retries for transient failures.");
    private readonly Option<string?> _maxErrors = CliOption.Text("--max-errors", "N|P%",
        "Stop when more than N rows or P% of the rows have failed; a percentage applies from 100 rows on. 100% disables fail-fast.");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command) =>
        command.Add("Time and retries", _timeout, _firstByte, _idle, _total, _stream, _retries, _maxErrors);

    /// <summary>Applies the options.</summary>
    /// <exception cref="UsageException">A value is invalid, or a timeout is longer than the one that includes it.</exception>
    public void Apply(ParseResult result, RequestManagerOptions options)
    {
        int retries = result.GetValue(_retries);
        if (retries is < 0 or > 1000)
        {
            throw new UsageException($"--retries {retries} is not between 0 and 1,000.");
        }

        options.RetryAttempts = retries + 1;
        ErrorLimit.Apply(result.GetValue(_maxErrors), options);
        ApplyTimeouts(result, options);
    }

    private void ApplyTimeouts(ParseResult result, RequestManagerOptions options)
    {
        TimeSpan timeout = Read(_timeout, result.GetValue(_timeout))!.Value;
        TimeSpan? total = Read(_total, result.GetValue(_total));
        if (total < timeout && result.GetResult(_timeout) is null or { Implicit: true })
        {
            timeout = total!.Value;
        }

        options.Timeout = timeout;
        options.TotalTimeout = NotBelow(_timeout, timeout, _total, total);
        options.FirstByteTimeout = NotAbove(_firstByte, Read(_firstByte, result.GetValue(_firstByte)), timeout);
        options.IdleTimeout = NotAbove(_idle, Read(_idle, result.GetValue(_idle)), timeout);
        options.StreamMode = result.GetValue(_stream) switch
        {
            "auto" => StreamMode.Auto,
            "off" => StreamMode.AsRequested,
            var other => throw UsageException.Invalid("--stream", other, "Use auto or off."),
        };
    }

    private static TimeSpan? Read(Option option, string? text)
    {
        if (text is null)
        {
            return null;
        }

        TimeSpan time = DurationText.Parse(option.Name, text);
        return time > TimeSpan.Zero && time <= Longest
            ? time
            : throw new UsageException($"{option.Name} must be more than 0 and at most 7 days.");
    }

    private static TimeSpan? NotBelow(Option part, TimeSpan least, Option whole, TimeSpan? time) =>
        time < least ? throw TooLong(part, least, whole, time!.Value) : time;

    private TimeSpan? NotAbove(Option part, TimeSpan? time, TimeSpan most) =>
        time > most ? throw TooLong(part, time!.Value, _timeout, most) : time;

    private static UsageException TooLong(Option part, TimeSpan time, Option whole, TimeSpan most) => new(FormattableString.Invariant(
        $"{part.Name} ({time.TotalSeconds} s) is longer than {whole.Name} ({most.TotalSeconds} s). Lower the first or raise the second."));
}
