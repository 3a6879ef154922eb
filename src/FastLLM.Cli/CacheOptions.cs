using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Reads the options of the response cache.</summary>
internal sealed class CacheOptions
{
    private const string All = "all";

    private readonly Option<string?> _folder = FolderOption();
    private readonly Option<bool> _none = CliOption.Flag("--no-cache", "Neither read nor write the cache.");
    private readonly Option<string?> _refresh = CliOption.Text("--refresh", "REASONS",
        "Ignore existing responses with these finish reasons and request them again, such as length,content_filter, or all. After an "
        + "interruption, the same command continues with the rest.");

    private readonly Option<string> _durability = CliOption.WithDefault(
        "--durability", "LEVEL", "power-loss", "What cached responses survive: power-loss (flush every commit) or process-kill (faster).");

    private readonly Option<bool> _network = NetworkOption();

    /// <summary>Creates the option that names the folder of the cache.</summary>
    public static Option<string?> FolderOption() => CliOption.Text(
        "--cache", "DIR", "Folder of the cache. Default: fastllm in the cache folder of the user.");

    /// <summary>Creates the option that allows a cache on a network file system.</summary>
    public static Option<bool> NetworkOption() => CliOption.Flag(
        "--cache-on-network", "Allow a folder on a network file system. No other machine may use it.");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command) => command.Add("Cache", _folder, _none, _refresh, _durability, _network);

    /// <summary>Returns whether the user chose something about this machine's cache.</summary>
    public bool IsGiven(ParseResult result) => new Option[] { _folder, _none, _durability, _network }
        .Any(option => result.GetResult(option) is { Implicit: false });

    /// <summary>Opens the cache; returns <see langword="null"/> with <c>--no-cache</c>.</summary>
    /// <exception cref="UsageException">The options contradict each other, or the cache cannot be opened.</exception>
    public DiskCache? Open(ParseResult result, Action<string> notice)
    {
        if (result.GetValue(_none))
        {
            return result.GetValue(_folder) is null ? null : throw new UsageException("--cache and --no-cache contradict each other.");
        }

        Durability durability = result.GetValue(_durability) switch
        {
            "power-loss" => Durability.PowerLoss,
            "process-kill" => Durability.ProcessKill,
            var other => throw UsageException.Invalid("--durability", other, "Use power-loss or process-kill."),
        };
        var options = new DiskCacheOptions
        {
            Durability = durability, AllowNetworkFileSystem = result.GetValue(_network), OnNotice = notice,
        };
        return Open(result.GetValue(_folder), options, " or run without a cache (--no-cache)");
    }

    /// <summary>Opens a cache.</summary>
    /// <param name="folder">The folder; <see langword="null"/> for the default.</param>
    /// <param name="options">The options of the cache.</param>
    /// <param name="alternative">The text that the error message adds to "use another folder".</param>
    /// <exception cref="UsageException">The cache cannot be opened.</exception>
    public static DiskCache Open(string? folder, DiskCacheOptions options, string alternative = "")
    {
        if (folder is not null && string.IsNullOrWhiteSpace(folder))
        {
            throw new UsageException("--cache requires the name of a folder.");
        }

        try
        {
            return new DiskCache(folder ?? DiskCache.DefaultDirectory, options);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException(
                $"{TerminalText.Clean(e.Message, 1000)} Nothing was sent. Use another folder (--cache DIR){alternative}.", e);
        }
    }

    /// <summary>Reads the finish reasons of responses to request again.</summary>
    /// <exception cref="UsageException">The list is empty.</exception>
    public IReadOnlyCollection<string> ReadRefresh(ParseResult result)
    {
        if (result.GetValue(_refresh) is not { } text)
        {
            return [];
        }

        string[] reasons = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return reasons.Length == 0
            ? throw new UsageException("--refresh requires finish reasons, such as length,content_filter, or all.")
            : reasons.Contains(All) ? [RequestManagerOptions.AnyFinishReason] : reasons;
    }
}
