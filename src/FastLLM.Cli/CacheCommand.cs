using System.CommandLine;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm cache</c>, which inspects, verifies, prunes and transfers a cache.</summary>
internal sealed class CacheCommand
{
    private readonly TimeProvider _time;
    private readonly Option<string?> _folder = CacheOptions.FolderOption();
    private readonly Option<bool> _network = CacheOptions.NetworkOption();
    private readonly Option<bool> _json = CliOption.Flag("--json", "Print a JSON object.");

    private CacheCommand(TimeProvider time)
    {
        _time = time;
    }

    /// <summary>Creates the command.</summary>
    /// <param name="time">The clock that determines the age of responses.</param>
    public static Command Create(TimeProvider time)
    {
        var cache = new CacheCommand(time);
        var command = new CliCommand("cache", "Inspect, verify, prune and transfer cached responses.");
        command.Subcommands.Add(cache.Stats());
        command.Subcommands.Add(cache.Verify());
        command.Subcommands.Add(cache.Prune());
        command.Subcommands.Add(cache.Clear());
        command.Subcommands.Add(cache.Export());
        command.Subcommands.Add(cache.Import());
        command.AddExample("Show what the cache contains:", "fastllm cache stats");
        command.AddExample("Delete responses older than 30 days:", "fastllm cache prune --older-than 30d");
        return command;
    }

    private Command Stats() => Make("stats", "Count the responses by endpoint and model.", [], async (result, cache, cancellationToken) =>
    {
        DiskCacheStats stats = await cache.GetStatsAsync(cancellationToken);
        string text = result.GetValue(_json) ? CacheReport.Json(cache.Folder, stats) : CacheReport.Table(cache.Folder, stats);
        await Out(result).WriteLineAsync(text);
        return ExitCode.Ok;
    });

    private Command Verify() => Make("verify", "Verify the checksum of every response.", [], async (result, cache, cancellationToken) =>
    {
        DiskCacheVerification found = await cache.VerifyAsync(cancellationToken);
        await Out(result).WriteLineAsync(result.GetValue(_json) ? CacheReport.Json(found, cache.Repair) : CacheReport.Table(found));
        return found.IsSound && cache.Repair is null ? ExitCode.Ok : ExitCode.SomeFailed;
    });

    private Command Prune()
    {
        var olderThan = CliOption.Text("--older-than", "TIME", "Delete responses older than TIME, such as 30d or 12h.");
        var maxSize = CliOption.Text(
            "--max-size", "SIZE", "Delete the oldest responses until the database has this size, such as 500MB or 2GB.");
        var scope = CliOption.Text("--base-url", "URL", "Delete responses of this endpoint, as printed by stats.");
        var model = CliOption.Text("--model", "M", "Delete responses of this model.");
        Symbol[] symbols = [olderThan, maxSize, scope, model];
        return Make("prune", "Delete the responses that match all filters.", symbols, async (result, cache, cancellationToken) =>
        {
            TimeSpan? age = result.GetValue(olderThan) is { } text ? DurationText.Parse("--older-than", text) : null;
            long? maxBytes = result.GetValue(maxSize) is { } size ? SizeText.Parse("--max-size", size) : null;
            if (maxBytes is null && age is null && result.GetValue(scope) is null && result.GetValue(model) is null)
            {
                throw new UsageException(
                    "prune requires --older-than, --base-url, --model or --max-size. To delete all responses: fastllm cache clear.");
            }

            long dropped = await cache.PruneAsync(age, result.GetValue(scope), result.GetValue(model), cancellationToken);
            dropped += maxBytes is { } bytes ? await cache.ShrinkAsync(bytes, cancellationToken) : 0;
            await PrintCountAsync(result, "dropped", dropped, $"{dropped:N0} responses deleted.");
            return ExitCode.Ok;
        });
    }

    private Command Clear()
    {
        var yes = CliOption.Flag("--yes", "Do not ask for confirmation.");
        const string description = "Delete all responses. Requesting them again costs money again.";
        return Make("clear", description, [yes], async (result, cache, cancellationToken) =>
        {
            long entries = (await cache.GetStatsAsync(cancellationToken)).Entries;
            if (entries > 0 && !result.GetValue(yes) && !Confirms(result, entries, cache.Folder))
            {
                throw new UsageException(
                    $"Nothing was deleted. To delete all responses in {TerminalText.Clean(cache.Folder)}: fastllm cache clear --yes");
            }

            await cache.ClearAsync(cancellationToken);
            await PrintCountAsync(result, "dropped", entries, $"{entries:N0} responses deleted.");
            return ExitCode.Ok;
        });
    }

    private Command Export()
    {
        var file = new Argument<string>("FILE") { Description = "New file; - for standard output." };
        return Make("export", "Export all responses as JSON Lines.", [file], async (result, cache, cancellationToken) =>
        {
            string path = result.GetValue(file)!;
            if (path == Job.Pipe)
            {
                await using Stream output = StandardStreams.OpenOutput();
                await cache.ExportAsync(output, cancellationToken);
                return ExitCode.Ok;
            }

            long count;
            await using (var output = new FileStream(path, NewFile(path)))
            {
                count = await cache.ExportAsync(output, cancellationToken);
            }

            await PrintCountAsync(result, "exported", count, $"{count:N0} responses exported to {path}.");
            return ExitCode.Ok;
        });
    }

    private Command Import()
    {
        var file = new Argument<string>("FILE") { Description = "File written by export; - for standard input." };
        const string description = "Import exported responses. Import only from a trusted source: responses are used as they are.";
        return Make("import", description, [file], creates: true, run: async (result, cache, cancellationToken) =>
        {
            string path = result.GetValue(file)!;
            await using Stream input = path == Job.Pipe ? StandardStreams.OpenInput() : File.OpenRead(path);
            long count = await cache.ImportAsync(input, cancellationToken);
            await PrintCountAsync(result, "imported", count, $"{count:N0} responses imported into {cache.Folder}.");
            return ExitCode.Ok;
        });
    }

    private Command Make(string name, string description, Symbol[] symbols, CacheAction run, bool creates = false)
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

        command.SetAction((result, cancellationToken) => WithCacheAsync(result, creates, run, cancellationToken));
        return command;
    }

    private async Task<int> WithCacheAsync(ParseResult result, bool creates, CacheAction run, CancellationToken cancellationToken)
    {
        string folder = result.GetValue(_folder) ?? DiskCache.DefaultDirectory;
        if (!creates && !DiskCache.ExistsIn(folder))
        {
            throw new UsageException($"There is no cache in {TerminalText.Clean(folder)}. Specify its folder with --cache.");
        }

        TextWriter messages = result.InvocationConfiguration.Error;
        var options = new DiskCacheOptions
        {
            AllowNetworkFileSystem = result.GetValue(_network),
            TimeProvider = _time,
            OnNotice = text => messages.WriteLine(TerminalText.Clean(text, 1000)),
        };
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

        result.InvocationConfiguration.Error.Write(FormattableString.Invariant(
            $"Delete all {entries:N0} responses in {TerminalText.Clean(folder)}? [y/N] "));
        return Console.ReadLine()?.Trim() is "y" or "Y" or "yes";
    }

    // The responses are private, and an existing file may be the only copy of other responses.
    private static FileStreamOptions NewFile(string path)
    {
        if (File.Exists(path))
        {
            throw new UsageException($"{TerminalText.Clean(path)} already exists. Specify a new file.");
        }

        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return options;
    }

    private Task PrintCountAsync(ParseResult result, string name, long count, FormattableString text) =>
        Out(result).WriteLineAsync(result.GetValue(_json)
            ? string.Create(CultureInfo.InvariantCulture, $"{{\"{name}\":{count}}}")
            : TerminalText.Clean(text.ToString(CultureInfo.InvariantCulture)));

    private static TextWriter Out(ParseResult result) => result.InvocationConfiguration.Output;

    private delegate Task<int> CacheAction(ParseResult result, DiskCache cache, CancellationToken cancellationToken);
}
