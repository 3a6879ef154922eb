using System.CommandLine;
using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm help</c>, which explains a topic or a command.</summary>
internal static class HelpCommand
{
    private const string List = "topics";
    private const string Prefix = "topic.";
    private const string Ending = ".txt";

    // In the order in which a new user needs them. Each is a resource: its first line is its title.
    private static readonly string[] s_topics =
        ["start", "templates", "answers", "files", "resume", "cost", "limits", "providers", "errors", "scripts"];

    /// <summary>Creates the command.</summary>
    /// <param name="root">The command whose subcommands are explained as well.</param>
    public static Command Create(Command root)
    {
        var topic = new Argument<string[]>("TOPIC")
        {
            Description = $"A topic ({string.Join(", ", s_topics)}), or a command. Default: the list of topics.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new CliCommand("help", "Explain a topic or a command.");
        command.Arguments.Add(topic);
        command.AddExample("List the topics:", "fastllm help topics");
        command.AddExample("Explain how a prompt is made of the columns of a table:", "fastllm help templates");
        command.SetAction(result => Show(root, result.GetValue(topic) ?? [], result.InvocationConfiguration.Output));
        return command;
    }

    /// <summary>Gets the names of the topics.</summary>
    internal static IReadOnlyList<string> Topics => s_topics;

    /// <summary>Returns the text of a topic.</summary>
    internal static string TextOf(string topic)
    {
        using Stream stream = typeof(HelpCommand).Assembly.GetManifestResourceStream(Prefix + topic + Ending)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings();
    }

    private static int Show(Command root, string[] names, TextWriter output)
    {
        if (names is [] or [List])
        {
            WriteList(output);
            return ExitCode.Ok;
        }

        if (names is [var topic] && s_topics.Contains(topic, StringComparer.OrdinalIgnoreCase))
        {
            output.Write(TextOf(topic.ToLowerInvariant()));
            return ExitCode.Ok;
        }

        Command command = root;
        foreach (string name in names)
        {
            IEnumerable<string> known = command.Subcommands.Select(subcommand => subcommand.Name)
                .Concat(command == root ? [.. s_topics, List] : []);
            command = command.Subcommands.FirstOrDefault(subcommand => subcommand.Name == name)
                ?? throw new UsageException($"There is no topic or command {TerminalText.Clean(name, 40)}."
                    + $"{Suggestion.Sentence(name, known)} To list the topics: fastllm help topics");
        }

        new HelpWriter(output, HelpWriter.TerminalWidth()).Write(command);
        return ExitCode.Ok;
    }

    private static void WriteList(TextWriter output)
    {
        output.WriteLine("Topics:");
        int width = s_topics.Max(topic => topic.Length);
        foreach (string topic in s_topics)
        {
            output.WriteLine($"  {topic.PadRight(width)}  {TextOf(topic).Split(Environment.NewLine, 2)[0]}");
        }

        output.WriteLine();
        output.WriteLine("Show a topic:        fastllm help templates");
        output.WriteLine("Show a command:      fastllm help run");
    }
}
