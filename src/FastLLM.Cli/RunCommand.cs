using System.Buffers;
using System.CommandLine;
using System.CommandLine.Parsing;

namespace FastLLM.Cli;

/// <summary><c>fastllm run</c>: from arguments to options, and from how the run ended to an exit code. What is done in between is the engine's.</summary>
internal sealed class RunCommand
{
    private static readonly SearchValues<char> PlainCharacters =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_@%+=:,./-");

    // A run waits for a provider as long as it takes: whoever started it can interrupt it, and go on later.
    private static readonly TimeSpan WaitsForEver = TimeSpan.FromDays(7);

    private readonly Func<string, string?> _environment;
    private readonly TimeProvider _time;
    private readonly InputArguments _input = new();
    private readonly EndpointOptions _endpoint = new();
    private readonly CacheOptions _cache = new();
    private readonly Option<string?> _output = new("--output", "-o") { HelpName = "FILE", Description = "Where outcomes go; - is standard output. Left out: INPUT's name with .out.jsonl, or for rows of a table .out.csv." };
    private readonly Option<string> _concurrency = new("--concurrency") { HelpName = "N|auto", Description = "Requests in flight at once; auto follows what the provider takes, up to 1,000.", DefaultValueFactory = _ => "auto" };
    private readonly LimitOptions _limits = new();
    private readonly CostOptions _money = new();
    private readonly TimeOptions _times = new();
    private readonly Option<int> _retries = new("--retries") { HelpName = "N", Description = "Sends after the first, where a request fails for a passing reason.", DefaultValueFactory = _ => 2 };
    private readonly Option<string?> _maxErrors = new("--max-errors") { HelpName = "N|P%", Description = "Stop when more rows than this have failed, to go on later; a share counts from 100 rows on. 100%: never, not even where the first ten fail alike." };
    private readonly Option<string?> _order = new("--order") { HelpName = "input|completion", Description = "Order of the rows when the run is done. Left out: input; into a pipe, completion." };
    private readonly Option<string?> _outputFormat = new("--output-format") { HelpName = "openai|rows", Description = "OpenAI's lines, or rows: the input's columns with the answer. Left out: rows where the output ends with .csv or .tsv." };
    private readonly Option<bool> _fresh = new("--fresh") { Description = "Begin anew; an output that is there is kept with .bak." };
    private readonly Option<bool> _retryFailed = new("--retry-failed") { Description = "Send rows again that failed in an earlier run." };
    private readonly Option<bool> _skipInvalid = new("--skip-invalid") { Description = "Turn wrong lines into failed rows, and let the others go on." };
    private readonly Option<bool> _noOwnMember = new("--no-fastllm-member") { Description = "Leave the member \"fastllm\" out of the rows." };
    private readonly Option<bool> _json = new("--json") { Description = "Write events to standard output, one JSON object a line." };
    private readonly Option<bool> _quiet = new("--quiet", "-q") { Description = "Write nothing but errors to standard error." };
    private readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Say on standard error what is retried, and why." };

    private RunCommand(Func<string, string?> environment, TimeProvider time)
    {
        _environment = environment;
        _time = time;
    }

    /// <summary>The command.</summary>
    /// <param name="environment">Reads an environment variable.</param>
    /// <param name="time">The clock.</param>
    public static Command Create(Func<string, string?> environment, TimeProvider time)
    {
        var run = new RunCommand(environment, time);
        var command = new Command("run", "Send the requests of a file, and write the outcomes to a file. The same command again goes on where it ended.");
        run._input.AddTo(command);
        command.Options.Add(run._output);
        run._endpoint.AddTo(command);
        run._cache.AddTo(command);
        command.Options.Add(run._concurrency);
        run._limits.AddTo(command);
        run._times.AddTo(command);
        run._money.AddTo(command);
        foreach (Option option in (Option[])[run._retries, run._maxErrors, run._order, run._outputFormat, run._fresh, run._retryFailed, run._skipInvalid,
            run._noOwnMember, run._json, run._quiet, run._verbose])
        {
            command.Options.Add(option);
        }

        command.SetAction((result, _) => run.RunAsync(result));
        return command;
    }

    private async Task<int> RunAsync(ParseResult result)
    {
        JobOptions file = ReadFile(result);
        RequestManagerOptions sending = ReadSending(result);
        if (result.GetValue(_json) && file.Output == Job.Pipe)
        {
            throw new UsageException("--json and -o - both want standard output. Give the output a file.");
        }

        decimal? confirmAbove = _money.ConfirmAbove(result);
        if (confirmAbove is not null && file.Input == Job.Pipe)
        {
            throw new UsageException("--confirm-above has to read the input before it is sent, which a pipe does not allow. Give a file, or a budget (--max-cost).");
        }

        Endpoint? endpoint = ResolveEndpoint(result);
        using var signals = new Signals(_time);
        await using Connection connection = endpoint is null ? new Connection(new OpenAIProvider(""), OpenAIProvider.DefaultApiBase) : await endpoint.ConnectAsync(signals.Drain);
        await using var report = new RunReport(
            result.GetValue(_json) ? new JsonEvents(Console.OpenStandardOutput(), _time) : null,
            total => ProgressDisplay.OnStandardError(total, result.GetValue(_quiet), _environment, _time),
            result.GetValue(_quiet) ? TextWriter.Null : result.InvocationConfiguration.Error,
            result.InvocationConfiguration.Error,
            connection.BaseUrl,
            CommandLine(result));
        report.Follow(file, sending, result.GetValue(_verbose));
        foreach (string notice in endpoint?.Notices ?? [])
        {
            // Which key goes where is said even to those who want it quiet.
            await result.InvocationConfiguration.Error.WriteLineAsync(TerminalText.Clean(notice));
        }

        if (ProxyNotice.For(new Uri(connection.BaseUrl), HttpClient.DefaultProxy) is { } proxy)
        {
            await result.InvocationConfiguration.Error.WriteLineAsync(TerminalText.Clean(proxy));
        }

        await using DiskCache? cache = _cache.Open(result, report.OnNotice);
        sending.Cache = cache;
        await using var manager = new RequestManager(connection.Provider, sending);
        report.Source = () => manager.Stats;
        if (_money.IsDryRun(result))
        {
            return await report.TellAsync(() => Checked(() => Job.PlanAsync(manager, file, signals.Drain)), result.InvocationConfiguration.Output);
        }

        JobPlan? plan = null;
        if (confirmAbove is { } above)
        {
            int exit = await report.GuardAsync(async () =>
            {
                plan = await Checked(() => Job.PlanAsync(manager, file, signals.Drain));
                Confirmation.OnTerminal(result.InvocationConfiguration.Error).Require(plan, above);
                return ExitCode.Ok;
            });
            if (exit != ExitCode.Ok)
            {
                return exit;
            }
        }

        return await report.EndAsync(
            () => plan is null ? Checked(() => Job.RunAsync(manager, file, signals.Drain, signals.Abort)) : Job.RunAsync(plan, signals.Drain, signals.Abort),
            signals.Drain);
    }

    // What it costs may be asked before there is a key, or anybody to ask.
    private Endpoint? ResolveEndpoint(ParseResult result)
    {
        EndpointChoice choice = _endpoint.Read(result);
        try
        {
            return Endpoint.Resolve(choice, _environment);
        }
        catch (UsageException) when (_money.IsDryRun(result) && choice is { Provider: null, BaseUrl: null, ApiKeyEnv: null })
        {
            return null;
        }
    }

    // Options that do not fit together are refused at the call, before its task.
    private static Task<T> Checked<T>(Func<Task<T>> job)
    {
        try
        {
            return job();
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message.Split(" (Parameter", 2)[0], e);
        }
    }

    private JobOptions ReadFile(ParseResult result)
    {
        OutputFormat format = result.GetValue(_outputFormat) switch
        {
            null => OutputFormat.Auto,
            "openai" => OutputFormat.OpenAI,
            "rows" => OutputFormat.Rows,
            var other => throw new UsageException($"--output-format \"{TerminalText.Clean(other, 40)}\" is neither openai nor rows."),
        };
        JobOptions file = _input.Read(result, result.GetValue(_output), format);
        file.Fresh = result.GetValue(_fresh);
        file.RetryFailed = result.GetValue(_retryFailed);
        file.SkipInvalid = result.GetValue(_skipInvalid);
        file.IncludeMetadata = !result.GetValue(_noOwnMember);
        file.Order = (result.GetValue(_order), file.Output) switch
        {
            ("input", _) or (null, not Job.Pipe) => ResultOrder.Input,
            ("completion", _) or (null, _) => ResultOrder.Completion,
            (var other, _) => throw new UsageException($"--order \"{TerminalText.Clean(other, 40)}\" is neither input nor completion."),
        };
        return file;
    }

    private RequestManagerOptions ReadSending(ParseResult result)
    {
        string concurrency = result.GetValue(_concurrency)!;
        bool isAuto = concurrency == "auto";
        int slots = 1000;
        if (!isAuto && (!int.TryParse(concurrency, out slots) || slots is < 1 or > 100_000))
        {
            throw new UsageException($"--concurrency \"{TerminalText.Clean(concurrency, 40)}\" is neither a number from 1 to 100,000 nor auto.");
        }

        int retries = result.GetValue(_retries);
        if (retries is < 0 or > 1000)
        {
            throw new UsageException($"--retries {retries} is not between 0 and 1,000.");
        }

        var sending = new RequestManagerOptions
        {
            Concurrency = slots,
            AdaptiveConcurrency = isAuto,
            RateLimits = _limits.Read(result),
            RetryAttempts = retries + 1,
            MaxThrottleWait = WaitsForEver,
            ShowProgress = false,
            RefreshFinishReasons = _cache.ReadRefresh(result),
            TimeProvider = _time,
        };
        ErrorLimit.Apply(result.GetValue(_maxErrors), sending);
        _times.Apply(result, sending);
        _money.Apply(result, sending);
        return sending;
    }

    // The command as it was given, for "go on": without what would begin anew.
    private static string CommandLine(ParseResult result)
    {
        List<string> words = [.. result.Tokens.Select(token => token.Value)];
        int fresh = words.FindIndex(word => word == "--fresh");
        if (fresh >= 0)
        {
            int count = fresh + 1 < words.Count && bool.TryParse(words[fresh + 1], out _) ? 2 : 1;
            words.RemoveRange(fresh, count);
        }

        return string.Join(' ', ["fastllm", .. words.Select(Quote)]);
    }

    private static string Quote(string word) =>
        word.Length > 0 && !word.AsSpan().ContainsAnyExcept(PlainCharacters) ? word : "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
