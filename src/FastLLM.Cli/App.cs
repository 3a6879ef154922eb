using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace FastLLM.Cli;

/// <summary>Runs one command line: takes arguments, environment, clock and writers, and returns an exit code.</summary>
internal sealed class App(Func<string, string?> environment, TextWriter output, TextWriter error, TimeProvider time)
{
    private readonly SynchronousCommandLineAction _help = HelpWriter.Action();

    /// <summary>Creates the command with all its subcommands.</summary>
    public Command CreateRoot()
    {
        var root = new CliCommand("fastllm", "Send many LLM requests in parallel, without paying twice for the same answer.");
        root.Options.Add(new HelpOption { Description = "Show help.", Action = _help });
        root.Options.Add(new VersionOption { Description = "Show the version." });
        root.Subcommands.Add(RunCommand.Create(environment, time));
        root.Subcommands.Add(ValidateCommand.Create());
        root.Subcommands.Add(ReportCommand.Create());
        root.Subcommands.Add(CacheCommand.Create(time));
        root.Subcommands.Add(SimulateCommand.Create(time));
        root.Subcommands.Add(ProvidersCommand.Create(environment));
        root.Subcommands.Add(SubmitCommand.Create(environment, time));
        root.Subcommands.Add(WorkerCommand.Create(environment, time));
        root.Subcommands.Add(JobsCommand.CreateList(environment, time));
        root.Subcommands.Add(JobsCommand.CreateStatus(environment, time));
        root.Subcommands.Add(FetchCommand.Create(environment, time));
        foreach (Command command in JobStateCommands.Create(environment, time))
        {
            root.Subcommands.Add(command);
        }

        root.Subcommands.Add(ClusterCommand.Create(environment, time));
        root.Subcommands.Add(CompletionCommand.Create());
        root.Subcommands.Add(HelpCommand.Create(root));
        root.AddExample("Try it without an API key:", "fastllm run samples/questions.jsonl --provider simulator");
        root.AddExample(
            "Add a column of answers to a table:",
            "fastllm run samples/jobs/reviews.csv -o labels.csv --model gpt-4o-mini --template 'Good or bad? {{text}}'");
        root.AddExample("Show the options of a command:", "fastllm run --help");
        root.AddExample("Explain a topic, such as templates, cost or errors:", "fastllm help topics");
        return root;
    }

    /// <summary>Runs a command line.</summary>
    /// <returns>One of <see cref="ExitCode"/>.</returns>
    public async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        if (arguments is [Completer.Name, ..])
        {
            foreach (string candidate in new Completer(CreateRoot()).Complete([.. arguments.Skip(1)]))
            {
                await output.WriteLineAsync(candidate).ConfigureAwait(false);
            }

            return ExitCode.Ok;
        }

        ParseResult result = CreateRoot().Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.Action != _help && (result.Errors.Count > 0 || ParseErrorText.OptionsInArguments(result).Any()
            || ParseErrorText.EmptyValues(result).Any()))
        {
            return Reject(result, arguments);
        }

        try
        {
            return await result.InvokeAsync(new InvocationConfiguration
            {
                Output = output,
                Error = error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null, // Signals handles termination
            }).ConfigureAwait(false);
        }
        catch (UsageException e)
        {
            await error.WriteLineAsync($"fastllm: {e.Message}").ConfigureAwait(false);
            return ExitCode.Usage;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Commands handle the errors of their files themselves, so this is standard output.
            string message = TerminalText.Clean(e.Message, 400);
            await error.WriteLineAsync($"fastllm: Cannot write to standard output: {message}").ConfigureAwait(false);
            return ExitCode.Usage;
        }
    }

    private int Reject(ParseResult result, IReadOnlyList<string> arguments)
    {
        foreach (string problem in ParseErrorText.Of(result, arguments))
        {
            error.WriteLine($"fastllm: {problem}");
        }

        error.WriteLine($"See: {HelpWriter.PathOf(result.CommandResult.Command)} --help");
        return ExitCode.Usage;
    }
}
