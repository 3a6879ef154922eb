using System.CommandLine;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Reads the options that limit concurrency and rate.</summary>
internal sealed class LimitOptions
{
    private const int MaxAutoConcurrency = 1_000;

    private readonly Option<string> _concurrency = CliOption.WithDefault(
        "--concurrency", "N|auto", "auto", "Maximum number of requests in flight; auto adapts to the provider, up to 1,000.");

    private readonly (Option<string?> Option, Action<RateLimits, long> Set)[] _limits =
    [
        (New("--rpm", "Requests per minute for each model. Default: learned from 429 responses."), (r, n) => r.RequestsPerMinute = n),
        (New("--tpm", "Tokens per minute for each model, prompt and maximum output together."), (r, n) => r.TokensPerMinute = n),
        (New("--input-tpm", "Prompt tokens per minute for each model (Anthropic, Gemini)."), (r, n) => r.InputTokensPerMinute = n),
        (New("--output-tpm", "Completion tokens per minute for each model (Anthropic)."), (r, n) => r.OutputTokensPerMinute = n),
        (New("--rpd", "Requests per day for each model. The run stops at the limit; resume it later."), (r, n) => r.RequestsPerDay = n),
    ];

    private readonly Option<string?> _memory = CliOption.Text("--max-memory", "SIZE",
        "Memory for large responses in flight, such as 500MB or 2GB. Default: an eighth of the memory of the machine or container, 256 to "
        + "512 MB.");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command) => command.Add("Limits", [_concurrency, .. _limits.Select(limit => limit.Option), _memory]);

    /// <summary>Applies the options.</summary>
    /// <exception cref="UsageException">A limit is not a number, or is out of range.</exception>
    public void Apply(ParseResult result, RequestManagerOptions options)
    {
        string concurrency = result.GetValue(_concurrency)!;
        options.AdaptiveConcurrency = concurrency == "auto";
        int slots = MaxAutoConcurrency;
        if (!options.AdaptiveConcurrency && (!int.TryParse(concurrency, out slots) || slots is < 1 or > 100_000))
        {
            throw UsageException.Invalid("--concurrency", concurrency, "Use a number from 1 to 100,000, or auto.");
        }

        options.Concurrency = slots;
        options.RateLimits = ReadRates(result);
        if (result.GetValue(_memory) is { } memory)
        {
            SetMemory(options, memory);
        }
    }

    private void SetMemory(RequestManagerOptions options, string text)
    {
        try
        {
            options.MaxResponseMemory = SizeText.Parse(_memory.Name, text);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new UsageException($"{_memory.Name} {TerminalText.Clean(text, 40)} is too small. Use at least 1MB.", e);
        }
    }

    private RateLimits? ReadRates(ParseResult result)
    {
        RateLimits? limits = null;
        foreach ((Option<string?> option, Action<RateLimits, long> set) in _limits)
        {
            if (result.GetValue(option) is not { } text)
            {
                continue;
            }

            if (!long.TryParse(text, NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out long limit)
                || limit is < 1 or > 1_000_000_000_000)
            {
                throw UsageException.Invalid(option.Name, text, "Use a whole number from 1 to 1,000,000,000,000.");
            }

            set(limits ??= new RateLimits(), limit);
        }

        return limits;
    }

    private static Option<string?> New(string name, string description) => new(name) { HelpName = "N", Description = description };
}
