using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;

namespace FastLLM.Cli;

/// <summary>The command line as a function: arguments, environment, clock and writers in, exit code out.</summary>
internal sealed class App(Func<string, string?> environment, TextWriter output, TextWriter error, TimeProvider time)
{
    /// <summary>Carries out one command line.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        ParseResult result = Root().Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Errors.Count > 0 && result.Action is not HelpAction)
        {
            return Refuse(result);
        }

        try
        {
            return await result.InvokeAsync(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null, // Signals does that
            }).ConfigureAwait(false);
        }
        catch (UsageException e)
        {
            await error.WriteLineAsync($"fastllm: {e.Message}").ConfigureAwait(false);
            return ExitCode.Usage;
        }
    }

    private RootCommand Root()
    {
        var root = new RootCommand("Sends the requests of a file in parallel, as fast as the provider allows and never twice for the same answer, and writes the answers to a file.");
        root.HelpName = "fastllm";
        root.Subcommands.Add(RunCommand.Create(environment, time));
        root.Subcommands.Add(ValidateCommand.Create());
        root.Subcommands.Add(ReportCommand.Create());
        root.Subcommands.Add(CacheCommand.Create(time));
        root.Subcommands.Add(SimulateCommand.Create(time));
        root.Subcommands.Add(ProvidersCommand.Create(environment));
        return root;
    }

    private int Refuse(ParseResult result)
    {
        foreach (ParseError problem in result.Errors)
        {
            error.WriteLine($"fastllm: {TerminalText.Clean(problem.Message, 400)}");
        }

        string command = result.CommandResult.Command is RootCommand ? "" : $" {result.CommandResult.Command.Name}";
        error.WriteLine($"See: fastllm{command} --help");
        return ExitCode.Usage;
    }
}
