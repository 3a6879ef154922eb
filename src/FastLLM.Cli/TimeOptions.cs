using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>The options that say how long things may take, and whether answers are streamed so that a stall is seen early.</summary>
internal sealed class TimeOptions
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    private readonly Option<string> _timeout = new("--timeout") { HelpName = "TIME", Description = "How long one send may take.", DefaultValueFactory = _ => "600s" };
    private readonly Option<string?> _firstByte = new("--first-byte-timeout") { HelpName = "TIME", Description = "How long an answer's first byte may take. Left out: as long as --timeout." };
    private readonly Option<string?> _idle = new("--idle-timeout") { HelpName = "TIME", Description = "How long an answer may fall silent once it has begun. Left out: 60s in a stream that has begun to speak, else as long as --timeout." };
    private readonly Option<string?> _total = new("--total-timeout") { HelpName = "TIME", Description = "How long a row may take in all, with its retries and waits. Left out: for ever." };
    private readonly Option<string> _stream = new("--stream") { HelpName = "auto|off", Description = "auto asks for the answers as streams, so that a stall is seen in seconds; rows and keys stay the same. off sends each row as it stands.", DefaultValueFactory = _ => "off" };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_timeout, _firstByte, _idle, _total, _stream])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Sets what was given.</summary>
    /// <exception cref="UsageException">A time is none, or longer than one that it is a part of.</exception>
    public void Apply(ParseResult result, RequestManagerOptions sending)
    {
        TimeSpan timeout = Read(_timeout, result.GetValue(_timeout))!.Value;
        TimeSpan? total = Read(_total, result.GetValue(_total));
        if (total < timeout && result.GetResult(_timeout) is null or { Implicit: true })
        {
            timeout = total!.Value;
        }

        sending.Timeout = timeout;
        sending.TotalTimeout = NotBelow(_timeout, timeout, _total, total);
        sending.FirstByteTimeout = NotAbove(_firstByte, Read(_firstByte, result.GetValue(_firstByte)), timeout);
        sending.IdleTimeout = NotAbove(_idle, Read(_idle, result.GetValue(_idle)), timeout);
        sending.StreamMode = result.GetValue(_stream) switch
        {
            "auto" => StreamMode.Auto,
            "off" => StreamMode.AsRequested,
            var other => throw new UsageException($"--stream \"{TerminalText.Clean(other!, 40)}\" is neither auto nor off."),
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
            : throw new UsageException($"{option.Name} must be more than nothing and at most 7 days.");
    }

    private static TimeSpan? NotBelow(Option part, TimeSpan least, Option whole, TimeSpan? time) => time < least
        ? throw new UsageException(FormattableString.Invariant($"{part.Name} ({least.TotalSeconds} s) is longer than {whole.Name} ({time!.Value.TotalSeconds} s). Lower the first or raise the second."))
        : time;

    private TimeSpan? NotAbove(Option part, TimeSpan? time, TimeSpan most) => time > most
        ? throw new UsageException(FormattableString.Invariant($"{part.Name} ({time!.Value.TotalSeconds} s) is longer than {_timeout.Name} ({most.TotalSeconds} s). Lower the first or raise the second."))
        : time;
}
