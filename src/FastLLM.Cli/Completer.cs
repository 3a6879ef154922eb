using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Finds what can complete a command line, for the scripts that <c>fastllm completion</c> prints.</summary>
/// <param name="root">The command with all its subcommands.</param>
internal sealed class Completer(Command root)
{
    /// <summary>The name by which scripts call the completer, followed by the words up to the cursor.</summary>
    public const string Name = "__complete";

    /// <summary>Stands for the names of files, which the shell completes.</summary>
    public const string Files = ":files";

    // Some shells drop an empty last word; their scripts write this instead.
    private const string Empty = ":";

    private static readonly Dictionary<string, Func<IEnumerable<string>>> s_values = new(StringComparer.Ordinal)
    {
        ["--provider"] = () => Presets.All.Select(preset => preset.Name),
        ["--model"] = () => PriceTable.BuiltIn.Names,
        ["--api-key-env"] = () => Presets.All.Select(preset => preset.KeyVariable).OfType<string>(),
        ["--endpoint"] = () => [Endpoints.ChatCompletions, Endpoints.Embeddings, Endpoints.Responses, Endpoints.Completions],
        ["--input-format"] = () => ["auto", "openai", "cookbook", "jsonl", "csv", "tsv"],
        ["--durability"] = () => ["power-loss", "process-kill"],
        ["--refresh"] = () => ["length", "content_filter", "all"],
    };

    /// <summary>Returns the candidates for the last word, and <see cref="Files"/> where a file may be named.</summary>
    /// <param name="words">The words after <c>fastllm</c>, the last of which is to be completed.</param>
    public IReadOnlyList<string> Complete(IReadOnlyList<string> words)
    {
        string current = words.Count == 0 || words[^1] == Empty ? "" : words[^1];
        Command command = root;
        Option? open = null;
        foreach (string word in words.SkipLast(1))
        {
            if (open is null && command.Subcommands.FirstOrDefault(subcommand => subcommand.Name == word) is { } subcommand)
            {
                command = subcommand;
                continue;
            }

            open = open is null && OptionsOf(command).FirstOrDefault(option => option.Name == word || option.Aliases.Contains(word))
                is { Arity.MaximumNumberOfValues: > 0 } option && option.ValueType != typeof(bool) ? option : null;
        }

        IEnumerable<string> candidates = open is not null ? ValuesOf(open)
            : current.StartsWith('-') ? OptionsOf(command).Where(option => !option.Hidden).Select(option => option.Name)
            : command.Subcommands.Count > 0 ? command.Subcommands.Where(one => !one.Hidden).Select(one => one.Name)
            : command.Name switch
            {
                "help" => [.. HelpCommand.Topics, .. root.Subcommands.Select(one => one.Name)],
                CompletionCommand.Name => CompletionCommand.Shells,
                _ => command.Arguments.Count > 0 ? [Files] : [],
            };
        IEnumerable<string> fitting =
            candidates.Where(candidate => candidate == Files || candidate.StartsWith(current, StringComparison.Ordinal));
        return [.. fitting.Distinct().Order()];
    }

    // The name of a value shows what it is: input|completion, N|auto, FILE, TEXT|@FILE.
    private static IEnumerable<string> ValuesOf(Option option)
    {
        if (s_values.TryGetValue(option.Name, out Func<IEnumerable<string>>? values))
        {
            return values();
        }

        string[] parts = (option.HelpName ?? "").Split('|');
        string[] words = [.. parts.Where(part => part.Length > 0 && part.All(c => char.IsAsciiLetterLower(c) || c == '-'))];
        return parts.Any(part => part is "FILE" or "DIR" or "PATH") ? [.. words, Files] : words;
    }

    private static IEnumerable<Option> OptionsOf(Command command) => HelpWriter.GroupsOf(command).SelectMany(group => group.Options);
}
