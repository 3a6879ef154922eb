using System.CommandLine;
using System.Globalization;

namespace FastLLM.Cli;

/// <summary>Knows options of other tools, and what does the same here.</summary>
internal static class OptionSynonyms
{
    private const string Parameter = "Parameters of the request are set with --set, such as --set ";

    private static readonly (string[] Words, string Advice)[] s_advice =
    [
        (["--api-key", "--key", "--apikey", "--token", "--openai-api-key"],
            "No option takes the key itself, because other programs can read command lines. Set the variable OPENAI_API_KEY, or name "
            + "another one with --api-key-env."),
        (["--temperature", "--temp"], Parameter + "temperature=0.2"),
        (["--top-p"], Parameter + "top_p=0.9"),
        (["--max-tokens", "--max-completion-tokens", "--max-output-tokens", "--max-new-tokens"], Parameter + "max_completion_tokens=100"),
        (["--reasoning-effort"], Parameter + "reasoning_effort='\"low\"'"),
        (["--response-format", "--json-mode"], Parameter + "response_format='{\"type\":\"json_object\"}'"),
        (["--stop"], Parameter + "stop='[\"END\"]'"),
        (["--input", "--file", "--in", "-i", "-f"], "The input is the first word after the command: fastllm run INPUT"),
        (["--resume", "--continue"], "Resuming is the default: run the same command again. To start over: --fresh."),
        (["--no-resume", "--overwrite", "--force", "--restart"], "Did you mean --fresh?"),
        (["--prompt", "--question", "--user"], "Did you mean --template?"),
        (["--system-prompt", "--instructions", "--system-message"], "Did you mean --system?"),
        (["--workers", "--threads", "--parallel", "--max-concurrency", "--num-workers", "--max-workers", "-c", "-j", "-w"],
            "Did you mean --concurrency?"),
        (["--budget", "--max-budget", "--cost-limit", "--max-spend"], "Did you mean --max-cost?"),
        (["--url", "--api-base", "--endpoint-url", "--server", "--host"], "Did you mean --base-url?"),
        (["--num-samples", "--repeat"], "Did you mean --samples?"),
        (["--head", "--first", "-n", "--max-rows", "--rows", "--num-rows"], "Did you mean --limit?"),
        (["--out", "--out-file", "--output-file", "--output-path"], "Did you mean --output?"),
        (["--max-retries", "--num-retries"], "Did you mean --retries?"),
        (["--rate-limit", "--max-requests-per-minute"], "Did you mean --rpm?"),
        (["--max-tokens-per-minute"], "Did you mean --tpm?"),
        (["--estimate", "--cost"], "Did you mean --dry-run?"),
        (["--format"], "Did you mean --output-format?"),
        (["--ignore-errors", "--skip-errors"], "Did you mean --skip-invalid?"),
    ];

    /// <summary>Returns what to use instead of an option that a command does not have; <see langword="null"/> if that is unknown.</summary>
    /// <param name="option">The option.</param>
    /// <param name="command">The command.</param>
    /// <param name="value">What was given as its value, if anything: a number is repeated in the advice.</param>
    public static string? AdviceOn(string option, Command command, string? value = null)
    {
        string word = option.Replace('_', '-').ToLowerInvariant();
        string? advice = Array.Find(s_advice, entry => entry.Words.Contains(word, StringComparer.Ordinal)).Advice;
        string[] named = advice is null ? []
            : [.. advice.Split(' ', '?', '.', ',', ':').Where(part => part.StartsWith("--", StringComparison.Ordinal))];
        if (advice?.StartsWith(Parameter, StringComparison.Ordinal) == true
            && decimal.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _))
        {
            advice = advice[..(advice.IndexOf('=', StringComparison.Ordinal) + 1)] + value;
        }

        return named.All(name => command.Options.Any(known => known.Name == name)) || command.Name == "run" ? advice : null;
    }
}
