using System.Globalization;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace FastLLM.Services;

/// <summary>Represents a client's section of the configuration.</summary>
/// <remarks>Not the binder of Microsoft.Extensions.Configuration: an unknown name is an error here, and so is a value out of range, each
/// with its path; there is no reflection, so that applications can be trimmed; and providers, caches and prices are more than
/// values.</remarks>
internal sealed class ConfiguredClient(IConfiguration section)
{
    private const string Infinite = "infinite";

    private static readonly Dictionary<string, Action<RequestManagerOptions, string>> s_options = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(RequestManagerOptions.Concurrency)] = (options, text) => options.Concurrency = Read<int>(text),
        [nameof(RequestManagerOptions.AdaptiveConcurrency)] = (options, text) => options.AdaptiveConcurrency = ReadFlag(text),
        [nameof(RequestManagerOptions.Timeout)] = (options, text) => options.Timeout = ReadTime(text),
        [nameof(RequestManagerOptions.ConnectTimeout)] = (options, text) => options.ConnectTimeout = ReadTime(text),
        [nameof(RequestManagerOptions.FirstByteTimeout)] = (options, text) => options.FirstByteTimeout = ReadTime(text),
        [nameof(RequestManagerOptions.IdleTimeout)] = (options, text) => options.IdleTimeout = ReadTime(text),
        [nameof(RequestManagerOptions.TotalTimeout)] = (options, text) => options.TotalTimeout = ReadTime(text),
        [nameof(RequestManagerOptions.StreamMode)] = (options, text) => options.StreamMode = ReadMode(text),
        [nameof(RequestManagerOptions.RetryAttempts)] = (options, text) => options.RetryAttempts = Read<int>(text),
        [nameof(RequestManagerOptions.RetryDelay)] = (options, text) => options.RetryDelay = ReadTime(text),
        [nameof(RequestManagerOptions.MaxThrottleWait)] = (options, text) => options.MaxThrottleWait = ReadTime(text),
        [nameof(RequestManagerOptions.MaxErrors)] = (options, text) => options.MaxErrors = Read<long>(text),
        [nameof(RequestManagerOptions.MaxErrorShare)] = (options, text) => options.MaxErrorShare = Read<double>(text),
        [nameof(RequestManagerOptions.MaxResponseBytes)] = (options, text) => options.MaxResponseBytes = Read<long>(text),
        [nameof(RequestManagerOptions.MaxResponseMemory)] = (options, text) => options.MaxResponseMemory = Read<long>(text),
        [nameof(RequestManagerOptions.ShowProgress)] = (options, text) => options.ShowProgress = ReadFlag(text),
        [nameof(RequestManagerOptions.CaptureMessageContent)] = (options, text) => options.CaptureMessageContent = ReadFlag(text),
        [nameof(RequestManagerOptions.Budget)] = (options, text) => options.Budget = Read<decimal>(text),
        [nameof(RequestManagerOptions.Prices)] = (options, text) => options.Prices = ReadPrices(text),
    };

    private static readonly Dictionary<string, Action<RateLimits, string>> s_limits = new(StringComparer.OrdinalIgnoreCase)
    {
        [nameof(RateLimits.RequestsPerMinute)] = (limits, text) => limits.RequestsPerMinute = Read<long>(text),
        [nameof(RateLimits.TokensPerMinute)] = (limits, text) => limits.TokensPerMinute = Read<long>(text),
        [nameof(RateLimits.InputTokensPerMinute)] = (limits, text) => limits.InputTokensPerMinute = Read<long>(text),
        [nameof(RateLimits.OutputTokensPerMinute)] = (limits, text) => limits.OutputTokensPerMinute = Read<long>(text),
        [nameof(RateLimits.RequestsPerDay)] = (limits, text) => limits.RequestsPerDay = Read<long>(text),
    };

    private static readonly Dictionary<string, Action<DiskCacheOptions, string>> s_cache = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Directory"] = (_, _) => { },
        ["InMemory"] = (_, text) => ReadFlag(text),
        [nameof(DiskCacheOptions.Ttl)] = (options, text) => options.Ttl = ReadTime(text),
        [nameof(DiskCacheOptions.SizeLimit)] = (options, text) => options.SizeLimit = Read<long>(text),
    };

    private static readonly Dictionary<string, Action<string>> s_client = new(StringComparer.OrdinalIgnoreCase)
    {
        ["ApiKey"] = _ => { },
        ["ApiBase"] = _ => { },
        ["Organization"] = _ => { },
        [nameof(ChatModel)] = _ => { },
        [nameof(EmbeddingModel)] = _ => { },
        [nameof(MaxWait)] = text => Mapping.SingleRequest.Check(ReadTime(text)),
    };

    public string? ChatModel => Value(nameof(ChatModel));

    public string? EmbeddingModel => Value(nameof(EmbeddingModel));

    public TimeSpan? MaxWait => Value(nameof(MaxWait)) is { } text ? ReadTime(text) : null;

    /// <summary>Returns what creates the provider; <see langword="null"/> if the section names none.</summary>
    public Func<IServiceProvider, Provider<LlmResponse>>? CreateProvider()
    {
        (string? key, string? address, string? organization) = (Value("ApiKey"), Value("ApiBase"), Value("Organization"));
        return key is null && address is null ? null : _ => new OpenAIProvider(key ?? "", address, organization);
    }

    /// <summary>Opens the cache; <see langword="null"/> if the section has none.</summary>
    public CacheProvider? OpenCache()
    {
        IConfigurationSection cache = section.GetSection("Cache");
        var options = new DiskCacheOptions();
        Apply(cache, s_cache, options, []);
        return cache["Directory"] is { Length: > 0 } directory ? new DiskCache(directory, options)
            : cache["InMemory"] is { Length: > 0 } text && ReadFlag(text) ? new InMemoryCache(options.SizeLimit)
            : null;
    }

    /// <summary>Sets the options of the section.</summary>
    /// <exception cref="OptionsValidationException">Names are unknown, or values are invalid; the exception has a message for
    /// each.</exception>
    public void Apply(RequestManagerOptions options)
    {
        List<string> failures = [];
        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (child.Key.Equals(nameof(RequestManagerOptions.RateLimits), StringComparison.OrdinalIgnoreCase))
            {
                Apply(child, s_limits, options.RateLimits ??= new RateLimits(), failures);
            }
            else if (child.Key.Equals("Cache", StringComparison.OrdinalIgnoreCase))
            {
                Apply(child, s_cache, new DiskCacheOptions(), failures);
            }
            else if (child.Key.Equals(nameof(RequestManagerOptions.RefreshFinishReasons), StringComparison.OrdinalIgnoreCase))
            {
                options.RefreshFinishReasons = [.. child.GetChildren().Select(reason => reason.Value).OfType<string>()];
            }
            else if (s_client.TryGetValue(child.Key, out Action<string>? check))
            {
                Try(child, check, failures);
            }
            else
            {
                Set(child, s_options, options, failures, s_client.Keys.Concat(["RateLimits", "Cache", "RefreshFinishReasons"]));
            }
        }

        if (failures.Count > 0)
        {
            throw new OptionsValidationException(Options.DefaultName, typeof(RequestManagerOptions), failures);
        }
    }

    private static void Apply<T>(IConfigurationSection parent, Dictionary<string, Action<T, string>> known, T target, List<string> failures)
    {
        foreach (IConfigurationSection child in parent.GetChildren())
        {
            Set(child, known, target, failures, []);
        }
    }

    private static void Set<T>(
        IConfigurationSection child, Dictionary<string, Action<T, string>> known, T target, List<string> failures,
        IEnumerable<string> others)
    {
        if (known.TryGetValue(child.Key, out Action<T, string>? set))
        {
            Try(child, text => set(target, text), failures);
        }
        else
        {
            IEnumerable<string> names = known.Keys.Concat(others).Order(StringComparer.Ordinal);
            failures.Add($"{child.Path}: There is no option of that name. Known names: {string.Join(", ", names)}.");
        }
    }

    // An empty value leaves the default: environment variables cannot be unset in all places.
    private static void Try(IConfigurationSection child, Action<string> set, List<string> failures)
    {
        if (string.IsNullOrEmpty(child.Value))
        {
            return;
        }

        try
        {
            set(child.Value);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or IOException or UnauthorizedAccessException)
        {
            failures.Add($"{child.Path}: {e.Message.ReplaceLineEndings(" ")}");
        }
    }

    private string? Value(string name) => section[name] is { Length: > 0 } value ? value : null;

    private static T Read<T>(string text)
        where T : IParsable<T> => T.TryParse(text, CultureInfo.InvariantCulture, out T? value)
            ? value
            : throw new FormatException($"\"{text}\" is not a number, or too large.");

    private static bool ReadFlag(string text) => bool.TryParse(text, out bool flag)
        ? flag
        : throw new FormatException($"\"{text}\" is neither true nor false.");

    // "30" would be 30 days to .NET, which hardly ever is what is meant.
    private static TimeSpan ReadTime(string text) => text.Equals(Infinite, StringComparison.OrdinalIgnoreCase) ? Timeout.InfiniteTimeSpan
        : text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan time) ? time
        : throw new FormatException($"\"{text}\" is not a time. Write hours, minutes and seconds, such as 00:00:30, or {Infinite}.");

    private static StreamMode ReadMode(string text) => Enum.TryParse(text, ignoreCase: true, out StreamMode mode) && Enum.IsDefined(mode)
        ? mode
        : throw new FormatException($"\"{text}\" is no stream mode. Known modes: {string.Join(", ", Enum.GetNames<StreamMode>())}.");

    private static PriceTable ReadPrices(string text)
    {
        if (text.Equals(nameof(PriceTable.BuiltIn), StringComparison.OrdinalIgnoreCase))
        {
            return PriceTable.BuiltIn;
        }

        using FileStream file = File.OpenRead(text);
        return PriceTable.Read(file).Over(PriceTable.BuiltIn);
    }
}
