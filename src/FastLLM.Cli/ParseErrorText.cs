using System.CommandLine;
using System.CommandLine.Parsing;
using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Describes an invalid command line: what is wrong, where, and what to type instead.</summary>
/// <remarks>The texts come from the symbols and the words of the command line, never from the parser.</remarks>
internal static class ParseErrorText
{
    private const int MaxWord = 100;

    /// <summary>Returns one text for each mistake, the causes before their consequences.</summary>
    /// <param name="result">The parsed command line, which has errors.</param>
    /// <param name="words">The words of the command line.</param>
    public static IReadOnlyList<string> Of(ParseResult result, IReadOnlyList<string> words)
    {
        Command command = result.CommandResult.Command;
        string[] unmatched = [.. result.UnmatchedTokens];
        string[] unknown = [.. unmatched.Where(IsOption), .. OptionsInArguments(result)];
        if (unknown.Length > 0)
        {
            // What follows an unknown option is its value, or was taken for the input: reports about it would mislead.
            return [.. unknown.Select(word => UnknownOption(word.Split('=', 2)[0], command, ValueOf(word, words)))];
        }

        if (unmatched.Length > 0)
        {
            return [command.Subcommands.Count > 0 ? UnknownCommand(unmatched[0], unmatched, command) : TooMany(command, unmatched, words)];
        }

        string[] empty = [.. EmptyValues(result)];
        if (empty.Length > 0)
        {
            return empty;
        }

        string[] options = [.. result.Errors.Select(error => error.SymbolResult).OfType<OptionResult>().Distinct().Select(OptionError)];
        return options.Length > 0 ? options
            : command.Subcommands.Count > 0 ? [$"Name a command: {Listed(command.Subcommands.Select(subcommand => subcommand.Name))}."]
            : [Missing(command)];
    }

    /// <summary>Returns the unknown options that the parser has taken for arguments, such as the input.</summary>
    public static IEnumerable<string> OptionsInArguments(ParseResult result) => result.Tokens.Any(token => token.Value == "--") ? []
        : result.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .Select(token => token.Value).Where(IsOption);

    /// <summary>Returns one text for each value that has nothing but blanks, which a variable that is not set leaves in a script.</summary>
    public static IEnumerable<string> EmptyValues(ParseResult result) => result.CommandResult.Children
        .Select(child => child switch
        {
            OptionResult { Option.Name: "--template" or "--system" } => "", // texts of the user
            OptionResult { Option: var option, Tokens: [.., { Value: var value }] } when string.IsNullOrWhiteSpace(value) => option.Name,
            ArgumentResult { Argument: var argument, Tokens: [{ Value: var value }, ..] } when string.IsNullOrWhiteSpace(value) =>
                argument.Name,
            _ => "",
        })
        .Where(name => name.Length > 0)
        .Select(name => $"{name} is empty. If its value comes from a variable, set the variable first.");

    private static bool IsOption(string word) => word.Length > 1 && word[0] == '-';

    private static string? ValueOf(string word, IReadOnlyList<string> words) => word.Split('=', 2) is [_, var value] ? value
        : words.SkipWhile(other => other != word).Skip(1).FirstOrDefault();

    private static string UnknownOption(string word, Command command, string? value)
    {
        string shown = TerminalText.Clean(word, MaxWord);
        if (OptionSynonyms.AdviceOn(word, command, value) is { } advice)
        {
            return $"There is no option {shown}. {advice}";
        }

        IEnumerable<string> names = HelpWriter.GroupsOf(command).SelectMany(group => group.Options).Select(option => option.Name);
        return Suggestion.For(word, names) is { } name
            ? $"There is no option {shown}. Did you mean {name}?"
            : $"{HelpWriter.PathOf(command)} has no option {shown}.";
    }

    private static string UnknownCommand(string word, string[] all, Command command)
    {
        string path = HelpWriter.PathOf(command);
        string[] names = [.. command.Subcommands.Select(subcommand => subcommand.Name)];
        string shown = TerminalText.Clean(word, MaxWord);
        return Suggestion.For(word, names) is { } name ? $"There is no command {shown}. Did you mean {path} {name}?"
            : command is RootCommand or { Name: "fastllm" } && File.Exists(word)
                ? $"{shown} is a file, not a command. To send its rows: "
                    + TerminalText.Clean(string.Join(' ', ["fastllm run", .. all.Select(TerminalText.Quote)]))
            : $"There is no command {shown}. The commands are: {Listed(names)}.";
    }

    private static string TooMany(Command command, string[] unmatched, IReadOnlyList<string> words)
    {
        string path = HelpWriter.PathOf(command);
        int first = words.ToList().FindLastIndex(word => word == unmatched[0]);
        if (first >= 2 && words[first - 2].StartsWith("--", StringComparison.Ordinal)
            && !words[first - 2].Contains('=', StringComparison.Ordinal)
            && command.Options.Any(option => option.Name == words[first - 2] && option.ValueType != typeof(bool)))
        {
            string whole = string.Join(' ', words.Skip(first - 1).TakeWhile(word => !word.StartsWith("--", StringComparison.Ordinal)));
            return $"The value of {words[first - 2]} ends at its first blank. Put quotes around it: "
                + TerminalText.Clean($"{words[first - 2]} {TerminalText.Quote(whole)}", 400);
        }

        string extra = TerminalText.Clean(string.Join(' ', unmatched.Select(TerminalText.Quote)), 200);
        return command.Arguments is [var only]
            ? $"{path} takes one {only.Name}, and there are further words: {extra}. Run the command once for each, and put quotes around "
                + "names and values with blanks."
            : $"{path} takes no further words, but there is: {extra}.";
    }

    private static string OptionError(OptionResult result)
    {
        Option option = result.Option;
        string name = option.Name;
        if (result.Tokens.Count == 0)
        {
            return $"{name} requires a value: {name} {option.HelpName ?? "VALUE"}. {HelpWriter.DescriptionOf(option)}";
        }

        if (option.ValueType == typeof(bool))
        {
            return $"{name} takes no value.";
        }

        if (result.IdentifierTokenCount > 1)
        {
            return $"{name} is given {result.IdentifierTokenCount} times. Give it once.";
        }

        Type type = Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType;
        string hint = type == typeof(int) || type == typeof(long) ? "Use a whole number." : "Use a number.";
        return $"{name} \"{TerminalText.Clean(result.Tokens[0].Value, 40)}\" is not valid. {hint}";
    }

    private static string Missing(Command command)
    {
        string name = command.Arguments is [var argument, ..] ? argument.Name : "a value";
        string example = command is CliCommand { Examples: [var (_, line), ..] } ? $", such as: {line}" : ".";
        string what = command.Arguments is [{ Description: { } description }, ..] ? $" {description}" : "";
        return $"{HelpWriter.PathOf(command)} requires {name}{example}{(example == "." ? what : "")}";
    }

    private static string Listed(IEnumerable<string> names) => string.Join(", ", names);
}
