using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm run</c>: turns arguments into options, and the result of the job into an exit code.</summary>
internal sealed class RunCommand
{
    // Many fields because each group of options has its reader.

    // A run waits for a throttled provider as long as it takes; the user can interrupt and resume it at any time.
    internal static readonly TimeSpan MaxThrottleWait = TimeSpan.FromDays(7);

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
    private readonly TelemetryOptions _telemetry = new();
    private readonly ClusterOptions _cluster;

    private RunCommand(Func<string, string?> environment, TimeProvider time)
    {
        _environment = environment;
        _time = time;
        _cluster = new ClusterOptions(environment);
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
        run._cluster.AddOptionalTo(command);
        run._limits.AddTo(command);
        run._times.AddTo(command);
        run._cost.AddTo(command);
        run._display.AddTo(command);
        run._telemetry.AddTo(command);
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
        command.SetAction((result, _) => run.RunOrReportAsync(result));
        return command;
    }

    // The program that reads the events learns from the last one why a command could not run.
    private async Task<int> RunOrReportAsync(ParseResult result)
    {
        try
        {
            return await RunAsync(result);
        }
        catch (UsageException e) when (_display.IsJson(result) && StandardStreams.HasOutput)
        {
            new JsonEvents(StandardStreams.OpenOutput(), _time).Error(ExitCode.Usage, e.Message);
            throw;
        }
    }

    private async Task<int> RunAsync(ParseResult result)
    {
        TextWriter errors = result.InvocationConfiguration.Error;
        TextWriter messages = _display.IsQuiet(result) ? TextWriter.Null : errors;
        JobOptions job = _output.Read(result, _input);
        RequestManagerOptions options = ReadManagerOptions(result);
        bool isPartial = _output.IsPartial(result);
        decimal? confirmAbove = _cost.ConfirmAbove(result);
        if (isPartial && (_cost.IsDryRun(result) || confirmAbove is not null))
        {
            throw new UsageException("--partial sends nothing, so it does not fit together with --dry-run and --confirm-above.");
        }

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

        Uri? collector = _telemetry.Read(result, _endpoint.Read(result).AllowHttp);
        bool isCluster = _cluster.IsUsed(result) && !isPartial;
        if (isCluster)
        {
            ClusterRun.Refuse(job, _cost.Preview(result), _cache.IsGiven(result));
        }

        int? preview = isCluster ? 0 : ReadPreview(result, job);
        Endpoint? endpoint = isPartial ? null : ResolveEndpoint(result);
        Preset? preset = endpoint is null ? Endpoint.PresetOf(_endpoint.Read(result), _environment) : endpoint.Preset;
        job.Answers = _answers.Read(result, preset?.KnowsSchemas ?? true);
        job.IsSimulated = preset?.IsSimulator == true;
        options.Prices = CostOptions.OnOwnServer(options.Prices, job.Model, preset);
        using var signals = new Signals(_time);
        await using Connection connection = endpoint is null
            ? new Connection(new OpenAIProvider(""), OpenAIProvider.DefaultApiBase)
            : await endpoint.ConnectAsync(signals.Drain);
        JsonEvents? events = _display.IsJson(result)
            ? new JsonEvents(StandardStreams.OpenOutput(), _time) { OnFault = text => errors.WriteLine(TerminalText.Clean(text)) }
            : null;
        bool isQuiet = _display.IsQuiet(result);
        var latest = new LatestRows(_time) { HasFields = job.Answers is not null };
        RunControls? controls = null;
        await using var progress = new RunProgress(
            events,
            (rows, kept) => ProgressDisplay.OnStandardError(rows, kept, isQuiet, _environment, _time, latest, controls),
            messages,
            errors)
        {
            Latest = latest,
        };
        if (!isQuiet && ProgressDisplay.IsLiveOnStandardError(_environment))
        {
            job.OnRowWritten = latest.Written;
        }

        var report = new RunReport(job, progress, events, messages, errors, _output.ResumeCommand(result));
        report.Observe(options, connection.BaseUrl, _display.IsVerbose(result));
        job.OnModelMissing = rows => ModelCheck.OnMissing(job.Input, rows, endpoint, text => job.OnNotice?.Invoke(text));
        await WriteConnectionNoticesAsync(errors, endpoint, connection.BaseUrl);
        if (ModelCheck.NoteOn(job.Model, endpoint, options.Prices) is { } note)
        {
            progress.Notice(note);
        }

        int most = connection.MaxInFlight;
        if (options.Concurrency > most)
        {
            options.Concurrency = most;
            progress.Notice(FormattableString.Invariant($"At most {most:N0} requests are in flight: the simulator is in this process, so ")
                + "that each needs two file descriptors. To allow more, raise the limit (ulimit -n).");
        }

        using TelemetryExport? export = collector is null ? null : new TelemetryExport(collector, progress.Warn);
        await using DiskCache? cache = isCluster ? null : _cache.Open(result, progress.Notice);
        options.Cache = cache;
        if (_cost.IsDryRun(result))
        {
            await using var planner = new RequestManager(connection.Provider, options);
            return await report.EstimateAsync(
                () => Checked(() => Job.PlanAsync(planner, job, signals.Drain)), result.InvocationConfiguration.Output);
        }

        if (isPartial)
        {
            await using var writer = new RequestManager(connection.Provider, options);
            return await report.WritePartialAsync(() => Checked(() => Job.WritePartialAsync(writer, job, signals.Drain)));
        }

        var start = new RunStart(job, report, signals, Confirmation.OnTerminal(errors))
        {
            ConfirmAbove = confirmAbove,
            Preview = preview,
            Asks = !_cost.IsYes(result),
            Messages = messages,
        };
        if (await start.RunAsync(() => new RequestManager(connection.Provider, options)) is { } exit)
        {
            return exit;
        }

        int concurrency = options.Concurrency;
        bool hasKeys = !isQuiet && !isCluster && KeyReader.IsPossible && ProgressDisplay.IsLiveOnStandardError(_environment);
        if (hasKeys && options is { TotalTimeout: null, AdaptiveConcurrency: false })
        {
            options.Concurrency = Math.Min(RunControls.HeadroomOf(concurrency), most);
        }

        await using var manager = new RequestManager(connection.Provider, options);
        progress.Source = () => manager.Stats;
        if (hasKeys)
        {
            int highest = manager.Options.Concurrency;
            manager.Limiters.ChangeCeiling(Math.Min(concurrency, highest));
            controls = new RunControls(manager.Limiters, highest, signals.Stop) { OnlyStops = options.TotalTimeout is not null };
        }

        if (isCluster)
        {
            return await report.GuardAsync(async () =>
            {
                await using ClusterSubmit cluster = await ClusterSubmit.OpenAsync(
                    _cluster.OpenStore(result, _time), _cluster.ReadBroker(result), endpoint!, _endpoint.Read(result).AllowHttp, job,
                    options, _cost.PriceFile(result), signals.Drain);
                ClusterRun.Attach(cluster.Client, job, progress);
                return await report.CompleteAsync(
                    () => Checked(() => Job.RunAsync(manager, job, signals.Drain, signals.Abort)), signals.Drain);
            });
        }

        using KeyReader? keys = controls is null ? null : KeyReader.Start(controls.Press, _time);
        return await report.CompleteAsync(
            async () =>
            {
                JobResult rest = await Checked(() => start.Plan is { } plan
                    ? Job.RunAsync(plan, manager, job, signals.Drain, signals.Abort)
                    : Job.RunAsync(manager, job, signals.Drain, signals.Abort));
                return start.Previewed is { } previewed ? rest.After(previewed) : rest;
            },
            signals.Drain);
    }

    // Rows are shown to people: where a program reads the output, only on request, and then it cannot be done.
    private int? ReadPreview(ParseResult result, JobOptions job)
    {
        int? wanted = _cost.Preview(result);
        string? reason = job.Input == Job.Pipe ? "reads the input twice, so it needs a file"
            : job.Output == Job.Pipe ? "keeps its rows in the output, so it needs a file (-o)"
            : _display.IsJson(result) ? "shows rows to people, and --json writes events for programs" : null;
        return reason is not null && wanted > 0 ? throw new UsageException($"--preview {reason}.")
            : wanted ?? (reason is not null || _cost.IsYes(result) || _display.IsQuiet(result) || !Confirmation.HasTerminal ? 0 : null);
    }

    // A dry run needs neither a key nor a provider.
    private Endpoint? ResolveEndpoint(ParseResult result)
    {
        EndpointChoice choice = _endpoint.Read(result) with { SendsNothing = _cost.IsDryRun(result) };
        try
        {
            return _cluster.IsUsed(result) ? ClusterEndpoint.Resolve(choice, _environment) : Endpoint.Resolve(choice, _environment);
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
    internal static Task<T> Checked<T>(Func<Task<T>> run)
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
