using System.CommandLine;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary>The options that tell what the provider allows.</summary>
internal sealed class LimitOptions
{
    private readonly (Option<string?> Option, Action<RateLimits, long> Set)[] _limits =
    [
        (New("--rpm", "Requests a minute that the provider allows, for each model. Left out: learned from its refusals."), (limits, n) => limits.RequestsPerMinute = n),
        (New("--tpm", "Tokens a minute, prompts and allowed answers together (OpenAI, Azure)."), (limits, n) => limits.TokensPerMinute = n),
        (New("--input-tpm", "Tokens of prompts a minute (Anthropic, Gemini)."), (limits, n) => limits.InputTokensPerMinute = n),
        (New("--output-tpm", "Tokens of answers a minute (Anthropic)."), (limits, n) => limits.OutputTokensPerMinute = n),
        (New("--rpd", "Requests a day; once they are used up, the run stops and can go on later."), (limits, n) => limits.RequestsPerDay = n),
    ];

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach ((Option<string?> option, _) in _limits)
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What was given; <see langword="null"/> for nothing.</summary>
    /// <exception cref="UsageException">One of them is no number, or out of range.</exception>
    public RateLimits? Read(ParseResult result)
    {
        RateLimits? limits = null;
        foreach ((Option<string?> option, Action<RateLimits, long> set) in _limits)
        {
            if (result.GetValue(option) is not { } text)
            {
                continue;
            }

            if (!long.TryParse(text, NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out long limit) || limit is < 1 or > 1_000_000_000_000)
            {
                throw new UsageException($"{option.Name} \"{TerminalText.Clean(text, 40)}\" is no whole number from 1 to 1,000,000,000,000.");
            }

            set(limits ??= new RateLimits(), limit);
        }

        return limits;
    }

    private static Option<string?> New(string name, string description) => new(name) { HelpName = "N", Description = description };
}
