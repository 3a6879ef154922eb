using System.Globalization;
using Microsoft.Extensions.Logging;

namespace FastLLM.Cli;

/// <summary>What a run tells its user while it goes on and when it ends: on a terminal, or as events.</summary>
internal sealed class RunReport(
    JsonEvents? events, Func<long?, ProgressDisplay> openDisplay, TextWriter messages, TextWriter errors, string baseUrl, string commandLine) : IAsyncDisposable
{
    private readonly Relay _progress = new();
    private JobOptions? _file;
    private readonly List<string> _early = [];
    private ProgressDisplay? _display;
    private bool _planned;

    /// <summary>Gets or sets where the display asks for fresh numbers.</summary>
    public Func<TokenStats>? Source { get; set; }

    /// <summary>Listens to a run.</summary>
    public void Follow(JobOptions file, RequestManagerOptions sending, bool verbose)
    {
        _file = file;
        file.OnNotice = OnNotice;
        file.OnPlanned = OnPlanned;
        file.OnRowFailed = (id, failure) => events?.OnRowFailed(id, failure);
        sending.Progress = _progress;
        sending.Logger = new LineLogger(OnNotice, verbose);
    }

    /// <summary>Says something in one line.</summary>
    public void OnNotice(string text)
    {
        if (_planned)
        {
            events?.OnNotice(text);
        }
        else
        {
            _early.Add(text);
        }

        if (_display is { } display)
        {
            display.WriteLine(text);
        }
        else
        {
            messages.WriteLine(TerminalText.Clean(text));
        }
    }

    /// <summary>Sees a run to its end, and says how it ended.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> EndAsync(Func<Task<JobResult>> run, CancellationToken drain) => GuardAsync(async () =>
    {
        JobResult result;
        using (drain.UnsafeRegister(static report => ((RunReport)report!)._display?.BeginDrain(), this))
        {
            result = await run();
        }

        await DisposeAsync();
        return End(result);
    });

    /// <summary>Tells what a run would send and cost.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> TellAsync(Func<Task<JobPlan>> estimate, TextWriter output) => GuardAsync(async () =>
    {
        JobPlan told = await estimate();
        if (events is not null)
        {
            events.Estimate(told);
        }
        else
        {
            EstimateText.Write(output, told);
        }

        return ExitCode.Ok;
    });

    /// <summary>Does something that reads the input, and says it where that cannot be done.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> GuardAsync(Func<Task<int>> action)
    {
        try
        {
            return await action();
        }
        catch (BatchFormatException e)
        {
            return await RefuseAsync($"{_file!.Input}: {e.ErrorCount.ToString("N0", CultureInfo.InvariantCulture)} wrong {(e.ErrorCount == 1 ? "line" : "lines")}; nothing was sent. Mend the input, or give --skip-invalid to go on without them.{Environment.NewLine}{e.Message}");
        }
        catch (OperationCanceledException)
        {
            await DisposeAsync();
            await errors.WriteLineAsync("Interrupted before anything was sent.");
            return ExitCode.Interrupted;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return await RefuseAsync(e.Message);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _progress.Target = null;
        if (Interlocked.Exchange(ref _display, null) is { } display)
        {
            await display.DisposeAsync();
        }
    }

    private void OnPlanned(long? rows, long kept)
    {
        events?.Start(_file!.Input, _file.Output, baseUrl, rows, kept);
        _planned = true;
        _early.ForEach(text => events?.OnNotice(text));
        if (rows == kept)
        {
            return;
        }

        _display = openDisplay(rows - kept);
        _display.Source = Source;
        _progress.Target = events is null ? _display : new Both(events, _display);
    }

    private int End(JobResult result)
    {
        int exit = result switch
        {
            { Stopped: not null } => ExitCode.Stopped,
            { Interrupted: true } => ExitCode.Interrupted,
            { Pending: > 0 } => ExitCode.Stopped,
            { Failed: > 0 } => ExitCode.SomeFailed,
            _ => ExitCode.Ok,
        };
        if (result.Stopped is { } stopped)
        {
            errors.WriteLine(TerminalText.Clean(stopped.Message));
        }

        if (result.Rows == result.Kept && exit is ExitCode.Ok or ExitCode.SomeFailed && result.Answered == 0 && result.Pending == 0 && result.Failures.Count == 0)
        {
            string failed = result.Failed > 0 ? string.Create(CultureInfo.InvariantCulture, $" {result.Failed:N0} of them failed: --retry-failed sends those again.") : "";
            OnNotice(result.Rows == 0
                ? $"Nothing is left to do: {_file!.Input} has no rows."
                : string.Create(CultureInfo.InvariantCulture, $"Nothing is left to do: all {result.Rows:N0} rows stand in {_file!.Output}.{failed}"));
            events?.Done(exit, Summarise(result, exit));
            return exit;
        }

        Summary summary = Summarise(result, exit);
        summary.Write(messages);
        if (summary.GoOn is not null && ReferenceEquals(messages, TextWriter.Null))
        {
            errors.WriteLine(TerminalText.Clean(summary.GoOn));
        }

        events?.Done(exit, summary);
        return exit;
    }

    private Summary Summarise(JobResult result, int exit)
    {
        var failures = new FailureGroups();
        foreach ((FailureKind kind, (long count, string example)) in result.Failures)
        {
            failures.Add(kind, example, count);
        }

        return new Summary
        {
            Stats = result.Stats,
            Rows = result.Rows,
            Answered = result.Answered,
            Failed = result.Failed,
            Kept = result.Kept,
            Duplicates = result.Equal,
            Failures = failures,
            FinishReasons = result.FinishReasons,
            Output = _file!.Output == Job.Pipe ? null : _file.Output,
            Cost = result.Cost,
            JobCost = result.JobCost,
            Budget = result.Budget,
            NeedsLargerBudget = result.Stopped?.Kind == FailureKind.BudgetExhausted,
            GoOn = exit is ExitCode.Stopped or ExitCode.Interrupted ? commandLine : null,
            OffersNoDedup = !_file.NoDedup,
        };
    }

    private async Task<int> RefuseAsync(string message)
    {
        await DisposeAsync();
        foreach (string line in message.Split('\n'))
        {
            await errors.WriteLineAsync(TerminalText.Clean(line.TrimEnd()));
        }

        events?.Error(ExitCode.Usage, message);
        return ExitCode.Usage;
    }

    // The display is made when the number of rows is known, after the engine has been told whom to report to.
    private sealed class Relay : IProgress<TokenStats>
    {
        public IProgress<TokenStats>? Target { get; set; }

        public void Report(TokenStats value) => Target?.Report(value);
    }

    private sealed class Both(IProgress<TokenStats> first, IProgress<TokenStats> second) : IProgress<TokenStats>
    {
        public void Report(TokenStats value)
        {
            first.Report(value);
            second.Report(value);
        }
    }

    // What a person should know while a run goes on: that the provider is down, that a model refuses something. Why a run stops is said at its end.
    private sealed class LineLogger(Action<string> write, bool verbose) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => verbose ? logLevel >= LogLevel.Debug : logLevel == LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                write(formatter(state, exception));
            }
        }
    }
}
