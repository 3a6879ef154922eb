using System.CommandLine;
using FastLLM.Cli;
using FastLLM.Tests.Docs;
using Xunit;

namespace FastLLM.Tests.Cli;

/// <summary>The text of <c>--help</c>, which <c>Cli/Help/*.approved.txt</c> holds for each command.</summary>
public sealed class HelpTests
{

    private static readonly string[] s_headings =
        ["Input", "Requests", "Endpoint", "Answers", "Output", "Cache", "Cluster", "Limits", "Time and retries", "Cost", "Display"];

    public static TheoryData<string> Commands => [.. All().Select(HelpWriter.PathOf)];

    [Theory]
    [MemberData(nameof(Commands))]
    public void Help_IsTheApprovedText(string command)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Cli", "Help");
        string name = command.Replace(' ', '-');
        string approved = Path.Combine(folder, $"{name}.approved.txt");
        string received = Path.Combine(folder, $"{name}.received.txt");
        using var output = new StringWriter();
        new HelpWriter(output, width: 80).Write(All().Single(one => HelpWriter.PathOf(one) == command));

        string text = output.ToString().ReplaceLineEndings("\n");
        string known = File.Exists(approved) ? File.ReadAllText(approved).ReplaceLineEndings("\n") : "";
        if (text == known)
        {
            File.Delete(received);
            return;
        }

        Directory.CreateDirectory(folder);
        File.WriteAllText(received, text);
        Assert.Fail($"The help has changed. If that is meant, copy {received} over tests/FastLLM.Tests/Cli/Help/{name}.approved.txt.");
    }

    [Theory]
    [InlineData(50)]
    [InlineData(80)]
    [InlineData(120)]
    public void Help_FitsTheWidth(int width)
    {
        foreach (Command command in All())
        {
            using var output = new StringWriter();
            new HelpWriter(output, width).Write(command);
            string[] lines = output.ToString().ReplaceLineEndings("\n").Split('\n');

            string[] tooLong = [.. lines.Where(line => line.Length > width && line.Trim().Contains(' ', StringComparison.Ordinal))];
            Assert.All(tooLong, line => Assert.StartsWith("    fastllm ", line, StringComparison.Ordinal));
            Assert.DoesNotContain(lines, line => line.EndsWith(' ') || line.Contains('\u001b', StringComparison.Ordinal));
        }
    }

    [Fact]
    public void EveryOption_IsInExactlyOneGroup()
    {
        Assert.All(All(), command =>
        {
            Option[] grouped = [.. HelpWriter.GroupsOf(command).SelectMany(group => group.Options)];
            Assert.Equal(grouped.Length, grouped.Distinct().Count());
            Assert.Superset(command.Options.ToHashSet(), grouped.ToHashSet());
            Assert.Contains(grouped, option => option.Name == "--help");
        });
        Assert.Equal(s_headings, HelpWriter.GroupsOf(All().Single(command => command.Name == "run")).Select(group => group.Heading));
    }

    [Fact]
    public void EveryDescription_IsASentence_InTheWordsOfTheField()
    {
        Assert.All(All(), command =>
        {
            IEnumerable<string?> texts =
            [
                command.Description, .. command.Arguments.Select(argument => argument.Description), .. command.Options.Select(HelpWriter.DescriptionOf),
            ];
            Assert.All(texts, text =>
            {
                Assert.EndsWith(".", text, StringComparison.Ordinal);
                Assert.Empty(Vocabulary.BannedIn(text!));
            });
        });
    }

    [Fact]
    public void EveryTopic_FitsTheTerminal_InTheWordsOfTheField() => Assert.All(HelpCommand.Topics, topic =>
    {
        string[] lines = HelpCommand.TextOf(topic).ReplaceLineEndings("\n").Split('\n');
        Assert.EndsWith(".", lines[0], StringComparison.Ordinal);
        Assert.All(lines, line => Assert.InRange(line.Length, 0, 80));
        Assert.Empty(Vocabulary.BannedIn(string.Join('\n', lines)));
    });

    [Theory]
    [InlineData("help", "Topics:", 0)]
    [InlineData("help topics", "  templates  How a prompt is made", 0)]
    [InlineData("help Templates", "--template 'Classify: {{text}}'", 0)]
    [InlineData("help cache stats", "Usage:", 0)]
    [InlineData("help tempaltes", "Did you mean templates?", 2)]
    public async Task Help_OfATopicOrCommand_IsShown(string line, string text, int exit)
    {
        using var output = new StringWriter();
        int code = await new App(_ => null, output, output, TimeProvider.System).RunAsync(line.Split(' '));

        Assert.Equal(exit, code);
        Assert.Contains(text, output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void EveryExample_IsAValidCommandLine()
    {
        Command root = new App(_ => null, TextWriter.Null, TextWriter.Null, TimeProvider.System).CreateRoot();
        Assert.All(All().OfType<CliCommand>().SelectMany(command => command.Examples), example =>
        {
            Assert.StartsWith("fastllm ", example.CommandLine, StringComparison.Ordinal);
            string words = example.CommandLine["fastllm ".Length..].Split(" >", 2)[0].Split(" |", 2)[0];
            Assert.True(words.EndsWith("--help", StringComparison.Ordinal) || root.Parse(words.Replace('\'', '"')).Errors.Count == 0, words);
            string[] files = [.. words.Split(' ').Where(word => word.StartsWith("samples/", StringComparison.Ordinal))];
            Assert.All(files, file => Assert.True(File.Exists(Path.Combine(Vocabulary.Root, file.Replace(".out.", ".", StringComparison.Ordinal))), file));
        });
    }

    private static IEnumerable<Command> All()
    {
        var waiting = new Queue<Command>([new App(_ => null, TextWriter.Null, TextWriter.Null, TimeProvider.System).CreateRoot()]);
        while (waiting.TryDequeue(out Command? command))
        {
            yield return command;
            foreach (Command subcommand in command.Subcommands)
            {
                waiting.Enqueue(subcommand);
            }
        }
    }
}
