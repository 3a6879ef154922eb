using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace FastLLM.Cli;

/// <summary>Writes the help of a command as plain text, wrapped to the width of the terminal.</summary>
/// <remarks>The text has no colors or styles, so <c>NO_COLOR</c> needs no special handling.</remarks>
internal sealed class HelpWriter(TextWriter output, int width)
{
    private const int DefaultWidth = 80;
    private const int MinWidth = 50;
    private const int MaxWidth = 120;
    private const string GeneralHeading = "Display";

    /// <summary>Returns the action of <c>--help</c>.</summary>
    public static SynchronousCommandLineAction Action() => new HelpAction();

    /// <summary>Returns the names that lead to a command, such as <c>fastllm cache stats</c>.</summary>
    public static string PathOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{PathOf(parent)} {command.Name}" : command.Name;

    /// <summary>Returns the options of a command by heading. Options without a heading of their own come last.</summary>
    public static IReadOnlyList<(string Heading, IReadOnlyList<Option> Options)> GroupsOf(Command command)
    {
        IReadOnlyList<(string Heading, List<Option> Options)> groups = (command as CliCommand)?.Groups ?? [];
        string general = groups.Count == 0 ? "Options" : GeneralHeading;
        IEnumerable<Option> others = command.Options.Except(groups.SelectMany(group => group.Options))
            .Concat(command.Parents.OfType<Command>().SelectMany(Inherited));
        return
        [
            .. groups.SelectMany(group => group.Options.Select(option => (group.Heading, Option: option)))
                .Concat(others.Select(option => (Heading: general, Option: option)))
                .GroupBy(row => row.Heading, row => row.Option)
                .Select(group => (group.Key, (IReadOnlyList<Option>)[.. group])),
        ];
    }

    /// <summary>Writes the help of <paramref name="command"/>.</summary>
    public void Write(Command command)
    {
        WriteWrapped(command.Description ?? "", indent: 0);
        WriteHeading("Usage");
        string arguments = string.Concat(command.Arguments.Select(
            argument => " " + (argument.Arity.MinimumNumberOfValues == 0 ? $"[{argument.Name}]" : argument.Name)));
        output.WriteLine($"  {PathOf(command)}{(command.Subcommands.Count > 0 ? " COMMAND" : "")}{arguments} [OPTIONS]");

        IReadOnlyList<(string Heading, IReadOnlyList<Option> Options)> groups = GroupsOf(command);
        List<(string Heading, List<(string Term, string Text)> Rows)> sections =
        [
            ("Arguments", [.. command.Arguments.Select(argument => (argument.Name, argument.Description ?? ""))]),
            ("Commands", [.. command.Subcommands.Select(subcommand => (subcommand.Name, subcommand.Description ?? ""))]),
            .. groups.Select(group => (group.Heading, group.Options.Select(option => (TermOf(option), DescriptionOf(option))).ToList())),
        ];
        int termWidth = Math.Min(width * 35 / 100, sections.SelectMany(section => section.Rows).Max(row => row.Term.Length));
        foreach ((string heading, List<(string Term, string Text)> rows) in sections.Where(section => section.Rows.Count > 0))
        {
            WriteHeading(heading);
            rows.ForEach(row => WriteRow(row.Term, row.Text, termWidth));
        }

        if (command is CliCommand { Examples: { Count: > 0 } examples })
        {
            WriteHeading("Examples");
            foreach ((string purpose, string commandLine) in examples)
            {
                WriteWrapped(purpose, indent: 2);
                output.WriteLine($"    {commandLine}"); // not wrapped: it must work when pasted
            }
        }
    }

    /// <summary>Returns what help says about an option: its description and its default.</summary>
    public static string DescriptionOf(Option option) => option.HasDefaultValue && option.ValueType != typeof(bool)
        ? $"{option.Description} Default: {option.GetDefaultValue()}."
        : option.Description ?? "";

    private static IEnumerable<Option> Inherited(Command parent) =>
        parent.Options.Where(option => option.Recursive).Concat(parent.Parents.OfType<Command>().SelectMany(Inherited));

    private static string TermOf(Option option)
    {
        IEnumerable<string> names =
            option.Aliases.Append(option.Name).Where(name => name.StartsWith('-') && name != "-?").OrderBy(name => name.Length);
        string value = option.HelpName is null ? "" : " " + option.HelpName;
        return string.Join(", ", names) + value;
    }

    private void WriteHeading(string heading)
    {
        output.WriteLine();
        output.WriteLine($"{heading}:");
    }

    private void WriteRow(string term, string text, int termWidth)
    {
        int indent = termWidth + 4;
        if (term.Length > termWidth)
        {
            output.WriteLine($"  {term}");
            term = "";
        }

        output.Write($"  {term}".PadRight(indent));
        WriteWrapped(text, indent, isFirstIndented: true);
    }

    private void WriteWrapped(string text, int indent, bool isFirstIndented = false) =>
        WrappedText.Write(output, text, width, indent, isFirstIndented);

    /// <summary>Returns the number of columns to wrap text at.</summary>
    public static int TerminalWidth()
    {
        try
        {
            return Console.IsOutputRedirected || Console.WindowWidth <= 0
                ? DefaultWidth
                : Math.Clamp(Console.WindowWidth - 1, MinWidth, MaxWidth);
        }
        catch (IOException)
        {
            return DefaultWidth; // no terminal
        }
    }

    private sealed class HelpAction : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            new HelpWriter(parseResult.InvocationConfiguration.Output, TerminalWidth()).Write(parseResult.CommandResult.Command);
            return ExitCode.Ok;
        }
    }
}
