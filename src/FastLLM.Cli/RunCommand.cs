using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm run</c>: turns arguments into options, and the result of the job into an exit code.</summary>
internal sealed class RunCommand
{
    // A run waits for a throttled provider as long as it takes; the user can interrupt and resume it at any time.
    private static readonly TimeSpan MaxThrottleWait = TimeSpan.FromDays(7);

    private readonly Func<string, string?> _environment;
    private readonly TimeProvider _time;
    private readonly InputOptions _input = new();
    private readonly OutputOptions _output = new();
    private readonly AnswerOptions _answers = new();
    private readonly EndpointOptions _endpoint = new();
    private readonly CacheOptions _cache = new();
    private readonly LimitOptions _limits = new();
    private readonly TimeOptions _times = new();
    private readonly CostOptions _cost = new();
    private readonly DisplayOptions _display = new();

    private RunCommand(Func<string, string?> environment, TimeProvider time)
    {
        _environment = environment;
        _time = time;
    }

    /// <summary>Creates the command.</summary>
    /// <param name="environment">Reads an environment variable.</param>
    /// <param name="time">The clock.</param>
    public static Command Create(Func<string, string?> environment, TimeProvider time)
    {
        var run = new RunCommand(environment, time);
        var command = new CliCommand(
            "run", "Send the requests of a file and write the responses to a file. Run the same command again to resume.");
        run._input.AddTo(command);
        run._endpoint.AddTo(command);
        run._answers.AddTo(command);
        run._output.AddTo(command);
        run._cache.AddTo(command);
        run._limits.AddTo(command);
        run._times.AddTo(command);
        run._cost.AddTo(command);
        run._display.AddTo(command);
        command.AddExample(
            "Try it without an API key, against the built-in simulator:",
            "fastllm run samples/questions.jsonl --provider simulator");
        command.AddExample(
            "Add a column of answers to a table:",
            "fastllm run samples/jobs/reviews.csv -o labels.csv --provider simulator --model m --template 'Good or bad? {{text}}'");
        command.AddExample(
            "Label the rows of a table:",
            "fastllm run samples/jobs/reviews.csv -o labels.csv --provider simulator --model m --template 'Good or bad? {{text}}' "
            + "--labels good,bad");
        command.AddExample("Estimate the cost without sending anything:", "fastllm run samples/questions.jsonl --dry-run");
        command.AddExample("Stop before the cost exceeds $5:", "fastllm run samples/questions.jsonl --provider simulator --max-cost 5");
        command.SetAction((result, _) => run.RunAsync(result));
        return command;
    }

    private async Task<int> RunAsync(ParseResult result)
    {
        TextWriter errors = result.InvocationConfiguration.Error;
        TextWriter messages = _display.IsQuiet(result) ? TextWriter.Null : errors;
        JobOptions job = _output.Read(result, _input);
        RequestManagerOptions options = ReadManagerOptions(result);
        decimal? confirmAbove = _cost.ConfirmAbove(result);
        if (_display.IsJson(result) && job.Output == Job.Pipe)
        {
            throw new UsageException("--json and -o - both write to standard output. Name an output file.");
        }

        if (_display.IsJson(result) || job.Output == Job.Pipe)
        {
            StandardStreams.RequireOutput();
        }

        if (confirmAbove is not null && job.Input == Job.Pipe)
        {
            throw new UsageException("--confirm-above reads the input twice, so it needs a file. For standard input, use --max-cost.");
        }

        Endpoint? endpoint = ResolveEndpoint(result);
        job.Answers = _answers.Read(result, endpoint?.Preset?.KnowsSchemas ?? true);
        using var signals = new Signals(_time);
        await using Connection connection = endpoint is null
            ? new Connection(new OpenAIProvider(""), OpenAIProvider.DefaultApiBase)
            : await endpoint.ConnectAsync(signals.Drain);
        JsonEvents? events = _display.IsJson(result)
            ? new JsonEvents(StandardStreams.OpenOutput(), _time) { OnFault = text => errors.WriteLine(TerminalText.Clean(text)) }
            : null;
        await using var progress = new RunProgress(
            events,
            (rows, kept) => ProgressDisplay.OnStandardError(rows, kept, _display.IsQuiet(result), _environment, _time),
            messages,
            errors);
        var report = new RunReport(job, progress, events, messages, errors, _output.ResumeCommand(result));
        report.Observe(options, connection.BaseUrl, _display.IsVerbose(result));
        await WriteConnectionNoticesAsync(errors, endpoint, connection.BaseUrl);

        await using DiskCache? cache = _cache.Open(result, progress.Notice);
        options.Cache = cache;
        await using var manager = new RequestManager(connection.Provider, options);
        progress.Source = () => manager.Stats;
        if (_cost.IsDryRun(result))
        {
            return await report.EstimateAsync(
                () => Checked(() => Job.PlanAsync(manager, job, signals.Drain)), result.InvocationConfiguration.Output);
        }

        JobPlan? plan = null;
        if (confirmAbove is { } above)
        {
            int exit = await report.GuardAsync(async () =>
            {
                plan = await Checked(() => Job.PlanAsync(manager, job, signals.Drain));
                Confirmation.OnTerminal(errors).Require(plan, above);
                return ExitCode.Ok;
            });
            if (exit != ExitCode.Ok)
            {
                return exit;
            }
        }

        return await report.CompleteAsync(
            () => plan is null
                ? Checked(() => Job.RunAsync(manager, job, signals.Drain, signals.Abort))
                : Job.RunAsync(plan, signals.Drain, signals.Abort),
            signals.Drain);
    }

    // A dry run needs neither a key nor a provider.
    private Endpoint? ResolveEndpoint(ParseResult result)
    {
        EndpointChoice choice = _endpoint.Read(result);
        try
        {
            return Endpoint.Resolve(choice, _environment);
        }
        catch (UsageException) when (_cost.IsDryRun(result) && choice is { Provider: null, BaseUrl: null, ApiKeyEnv: null })
        {
            return null;
        }
    }

    // Written even with --quiet: the user must know where a key goes.
    private static async Task WriteConnectionNoticesAsync(TextWriter errors, Endpoint? endpoint, string baseUrl)
    {
        string? proxy = ProxyNotice.For(new Uri(baseUrl), HttpClient.DefaultProxy);
        foreach (string notice in (endpoint?.Notices ?? []).Concat(proxy is null ? [] : [proxy]))
        {
            await errors.WriteLineAsync(TerminalText.Clean(notice));
        }
    }

    // Options that do not fit together are refused by the call, before its task.
    private static Task<T> Checked<T>(Func<Task<T>> run)
    {
        try
        {
            return run();
        }
        catch (ArgumentException e)
        {
            throw UsageException.From(e);
        }
    }

    private RequestManagerOptions ReadManagerOptions(ParseResult result)
    {
        var options = new RequestManagerOptions
        {
            MaxThrottleWait = MaxThrottleWait,
            ShowProgress = false,
            RefreshFinishReasons = _cache.ReadRefresh(result),
            TimeProvider = _time,
        };
        _limits.Apply(result, options);
        _times.Apply(result, options);
        _cost.Apply(result, options);
        return options;
    }
}
