using System.CommandLine;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary><c>fastllm cache</c>: what is kept, whether it is sound, and what is to go.</summary>
internal sealed class CacheCommand
{
    private readonly TimeProvider _time;
    private readonly Option<string?> _folder = CacheOptions.FolderOption();
    private readonly Option<bool> _network = CacheOptions.NetworkOption();
    private readonly Option<bool> _json = new("--json") { Description = "As one JSON object." };

    private CacheCommand(TimeProvider time)
    {
        _time = time;
    }

    /// <summary>The command.</summary>
    /// <param name="time">The clock by which answers age.</param>
    public static Command Create(TimeProvider time)
    {
        var cache = new CacheCommand(time);
        var command = new Command("cache", "Look after the answers that runs have kept.");
        command.Subcommands.Add(cache.Stats());
        command.Subcommands.Add(cache.Verify());
        command.Subcommands.Add(cache.Prune());
        command.Subcommands.Add(cache.Clear());
        command.Subcommands.Add(cache.Export());
        command.Subcommands.Add(cache.Import());
        return command;
    }

    private Command Stats() => Make("stats", "Count the answers, by endpoint and model.", [], async (result, cache, cancellationToken) =>
    {
        DiskCacheStats stats = await cache.GetStatsAsync(cancellationToken);
        await Out(result).WriteLineAsync(result.GetValue(_json) ? CacheReport.Json(cache.Folder, stats) : CacheReport.Table(cache.Folder, stats));
        return ExitCode.Ok;
    });

    private Command Verify() => Make("verify", "Look at every answer: is it what was written?", [], async (result, cache, cancellationToken) =>
    {
        DiskCacheVerification found = await cache.VerifyAsync(cancellationToken);
        await Out(result).WriteLineAsync(result.GetValue(_json) ? CacheReport.Json(found, cache.Repair) : CacheReport.Table(found));
        return found.IsSound && cache.Repair is null ? ExitCode.Ok : ExitCode.SomeFailed;
    });

    private Command Prune()
    {
        var olderThan = new Option<string?>("--older-than") { HelpName = "TIME", Description = "Drop answers older than this: 30d, 12h …" };
        var maxSize = new Option<string?>("--max-size") { HelpName = "SIZE", Description = "Drop the oldest until the database has this size: 500MB, 2GB …" };
        var scope = new Option<string?>("--base-url") { HelpName = "URL", Description = "Drop answers of this endpoint, as stats shows it." };
        var model = new Option<string?>("--model") { HelpName = "M", Description = "Drop answers of this model." };
        return Make("prune", "Drop the answers that fit all that is named.", [olderThan, maxSize, scope, model], async (result, cache, cancellationToken) =>
        {
            TimeSpan? age = result.GetValue(olderThan) is { } text ? DurationText.Parse("--older-than", text) : null;
            long? most = result.GetValue(maxSize) is { } size ? SizeText.Parse("--max-size", size) : null;
            if (most is null && age is null && result.GetValue(scope) is null && result.GetValue(model) is null)
            {
                throw new UsageException("prune drops what is named: --older-than, --base-url, --model, or --max-size. To drop all: fastllm cache clear.");
            }

            long dropped = await cache.PruneAsync(age, result.GetValue(scope), result.GetValue(model), cancellationToken);
            dropped += most is { } bytes ? await cache.ShrinkAsync(bytes, cancellationToken) : 0;
            await SayAsync(result, "dropped", dropped, $"{dropped:N0} answers were dropped.");
            return ExitCode.Ok;
        });
    }

    private Command Clear()
    {
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        return Make("clear", "Drop all answers. They were paid for: asked again, they are paid for again.", [yes], async (result, cache, cancellationToken) =>
        {
            long entries = (await cache.GetStatsAsync(cancellationToken)).Entries;
            if (entries > 0 && !result.GetValue(yes) && !Confirms(result, entries, cache.Folder))
            {
                throw new UsageException($"Nothing was dropped. To drop all answers in {TerminalText.Clean(cache.Folder)}: fastllm cache clear --yes");
            }

            await cache.ClearAsync(cancellationToken);
            await SayAsync(result, "dropped", entries, $"{entries:N0} answers were dropped.");
            return ExitCode.Ok;
        });
    }

    private Command Export()
    {
        var file = new Argument<string>("FILE") { Description = "Where to; - is standard output." };
        return Make("export", "Write all answers as lines of JSON, to carry them elsewhere.", [file], async (result, cache, cancellationToken) =>
        {
            string path = result.GetValue(file)!;
            if (path == Job.Pipe)
            {
                await using Stream output = Console.OpenStandardOutput();
                await cache.ExportAsync(output, cancellationToken);
                return ExitCode.Ok;
            }

            long count;
            await using (var output = new FileStream(path, NewFile(path)))
            {
                count = await cache.ExportAsync(output, cancellationToken);
            }

            await SayAsync(result, "exported", count, $"{count:N0} answers were written to {path}.");
            return ExitCode.Ok;
        });
    }

    private Command Import()
    {
        var file = new Argument<string>("FILE") { Description = "What export wrote; - is standard input." };
        return Make("import", "Take over answers that export wrote. Only from where you trust: they are handed out as they stand there.", [file], makes: true, run: async (result, cache, cancellationToken) =>
        {
            string path = result.GetValue(file)!;
            await using Stream input = path == Job.Pipe ? Console.OpenStandardInput() : File.OpenRead(path);
            long count = await cache.ImportAsync(input, cancellationToken);
            await SayAsync(result, "imported", count, $"{count:N0} answers were taken over into {cache.Folder}.");
            return ExitCode.Ok;
        });
    }

    private Command Make(string name, string description, Symbol[] symbols, Func<ParseResult, DiskCache, CancellationToken, Task<int>> run, bool makes = false)
    {
        var command = new Command(name, description);
        foreach (Symbol symbol in (Symbol[])[.. symbols, _folder, _network, _json])
        {
            if (symbol is Argument argument)
            {
                command.Arguments.Add(argument);
            }
            else
            {
                command.Options.Add((Option)symbol);
            }
        }

        command.SetAction((result, cancellationToken) => WithCacheAsync(result, makes, run, cancellationToken));
        return command;
    }

    private async Task<int> WithCacheAsync(ParseResult result, bool makes, Func<ParseResult, DiskCache, CancellationToken, Task<int>> run, CancellationToken cancellationToken)
    {
        string folder = result.GetValue(_folder) ?? DiskCache.DefaultDirectory;
        if (!makes && !DiskCache.ExistsIn(folder))
        {
            throw new UsageException($"There is no cache in {TerminalText.Clean(folder)}. Name its folder with --cache.");
        }

        TextWriter messages = result.InvocationConfiguration.Error;
        var options = new DiskCacheOptions { AllowNetworkFileSystem = result.GetValue(_network), TimeProvider = _time, OnNotice = text => messages.WriteLine(TerminalText.Clean(text, 1000)) };
        try
        {
            await using DiskCache cache = CacheOptions.Open(folder, options);
            return await run(result, cache, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new UsageException(TerminalText.Clean(e.Message, 1000), e);
        }
    }

    private static bool Confirms(ParseResult result, long entries, string folder)
    {
        if (Console.IsInputRedirected || Console.IsErrorRedirected)
        {
            return false;
        }

        result.InvocationConfiguration.Error.Write(string.Create(CultureInfo.InvariantCulture, $"Drop all {entries:N0} answers in {TerminalText.Clean(folder)}? [y/N] "));
        return Console.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }

    // Answers are for their owner's eyes; and a file that is there may be the only copy of others.
    private static FileStreamOptions NewFile(string path)
    {
        if (File.Exists(path))
        {
            throw new UsageException($"{TerminalText.Clean(path)} is there already. Name a new file.");
        }

        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return options;
    }

    private Task SayAsync(ParseResult result, string name, long count, FormattableString text) => Out(result).WriteLineAsync(result.GetValue(_json)
        ? string.Create(CultureInfo.InvariantCulture, $"{{\"{name}\":{count}}}")
        : TerminalText.Clean(text.ToString(CultureInfo.InvariantCulture)));

    private static TextWriter Out(ParseResult result) => result.InvocationConfiguration.Output;
}
