using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Represents a command whose help groups the options under headings and ends with examples.</summary>
internal sealed class CliCommand(string name, string description) : Command(name, description)
{
    private readonly List<(string Heading, List<Option> Options)> _groups = [];
    private readonly List<(string Purpose, string CommandLine)> _examples = [];

    /// <summary>Gets the options by heading, in the order in which help shows them.</summary>
    public IReadOnlyList<(string Heading, List<Option> Options)> Groups => _groups;

    /// <summary>Gets the examples: what each is for, and a command line that works when pasted.</summary>
    public IReadOnlyList<(string Purpose, string CommandLine)> Examples => _examples;

    /// <summary>Adds options under a heading. Options with the same heading form one group.</summary>
    public void Add(string heading, params ReadOnlySpan<Option> options)
    {
        int place = _groups.FindIndex(group => group.Heading == heading);
        if (place < 0)
        {
            place = _groups.Count;
            _groups.Add((heading, []));
        }

        foreach (Option option in options)
        {
            _groups[place].Options.Add(option);
            Options.Add(option);
        }
    }

    /// <summary>Adds an example.</summary>
    public void AddExample(string purpose, string commandLine) => _examples.Add((purpose, commandLine));
}
