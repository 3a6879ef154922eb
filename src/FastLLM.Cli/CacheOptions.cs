using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Where a run keeps answers, and which of them it asks for again.</summary>
internal sealed class CacheOptions
{
    private const string All = "all";

    private readonly Option<string?> _folder = FolderOption();
    private readonly Option<bool> _none = new("--no-cache") { Description = "Keep no answers besides the output, and use none that were kept." };
    private readonly Option<string?> _refresh = new("--refresh") { HelpName = "KINDS", Description = "Ask again where the answer that is there ended so: length,content_filter … or all." };
    private readonly Option<string> _durability = new("--durability") { HelpName = "power-loss|process-kill", Description = "What a kept answer survives.", DefaultValueFactory = _ => "power-loss" };
    private readonly Option<bool> _network = NetworkOption();

    /// <summary>The option that names a cache's folder.</summary>
    public static Option<string?> FolderOption() => new("--cache") { HelpName = "DIR", Description = $"The folder where answers are kept. Left out: {TerminalText.Clean(DiskCache.DefaultDirectory)}." };

    /// <summary>The option that lets a cache stand on a network file system.</summary>
    public static Option<bool> NetworkOption() => new("--cache-on-network") { Description = "Accept a folder on a network file system. No other machine may use it." };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_folder, _none, _refresh, _durability, _network])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Opens the cache that was asked for; <see langword="null"/> for none.</summary>
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
            var other => throw new UsageException($"--durability \"{TerminalText.Clean(other, 40)}\" is neither power-loss nor process-kill."),
        };
        var options = new DiskCacheOptions { Durability = durability, AllowNetworkFileSystem = result.GetValue(_network), OnNotice = notice };
        return Open(result.GetValue(_folder), options, ", or --no-cache for a run without");
    }

    /// <summary>Opens a cache.</summary>
    /// <param name="folder">Its folder; <see langword="null"/> for the user's own.</param>
    /// <param name="options">How.</param>
    /// <param name="otherWay">What else one may do where it cannot be opened.</param>
    /// <exception cref="UsageException">It cannot be opened.</exception>
    public static DiskCache Open(string? folder, DiskCacheOptions options, string otherWay = "")
    {
        if (folder is not null && string.IsNullOrWhiteSpace(folder))
        {
            throw new UsageException("--cache names no folder.");
        }

        try
        {
            return new DiskCache(folder ?? DiskCache.DefaultDirectory, options);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{TerminalText.Clean(e.Message, 1000)} Nothing was sent. Another folder: --cache DIR{otherWay}.", e);
        }
    }

    /// <summary>For which finish reasons answers are asked for again.</summary>
    /// <exception cref="UsageException">No reason stands there.</exception>
    public IReadOnlyCollection<string> ReadRefresh(ParseResult result)
    {
        if (result.GetValue(_refresh) is not { } text)
        {
            return [];
        }

        string[] kinds = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return kinds.Length == 0
            ? throw new UsageException("--refresh wants finish reasons, such as length,content_filter, or all.")
            : kinds.Contains(All) ? [RequestManagerOptions.AnyFinishReason] : kinds;
    }
}
