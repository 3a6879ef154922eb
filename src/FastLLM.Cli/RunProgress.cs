namespace FastLLM.Cli;

/// <summary>Shows the progress and the notices of a run, on standard error and as events.</summary>
/// <param name="events">The events of <c>--json</c>, if any.</param>
/// <param name="openDisplay">Creates the display once the numbers of rows and of kept rows are known.</param>
/// <param name="messages">Receives notices while there is no display; <see cref="TextWriter.Null"/> with <c>--quiet</c>.</param>
/// <param name="errors">Receives warnings with <c>--quiet</c> too.</param>
internal sealed class RunProgress(
    JsonEvents? events, Func<long?, long, ProgressDisplay> openDisplay, TextWriter messages, TextWriter errors)
    : IProgress<TokenStats>, IAsyncDisposable
{
    private readonly List<string> _early = []; // notices that precede the event "start"
    private ProgressDisplay? _display;
    private bool _started;
    private long _failedRows;

    /// <summary>Gets the latest rows.</summary>
    public required LatestRows Latest { get; init; }

    /// <summary>Gets or sets the callback that returns the current statistics.</summary>
    public Func<TokenStats>? Source { get; set; }

    /// <inheritdoc/>
    public void Report(TokenStats value)
    {
        if (_display is { } display)
        {
            TokenStats stats = CountRows(value);
            events?.Report(stats);
            display.Report(stats);
        }
    }

    /// <summary>Begins to show progress, unless all rows are in the output already.</summary>
    /// <param name="job">The job.</param>
    /// <param name="baseUrl">The base URL that requests are sent to.</param>
    /// <param name="rows">The number of rows; <see langword="null"/> if it is unknown.</param>
    /// <param name="kept">The number of rows that are in the output already.</param>
    public void Start(JobOptions job, string baseUrl, long? rows, long kept)
    {
        Announce(job, baseUrl, rows, kept);
        if (rows != kept)
        {
            _display = openDisplay(rows, kept);
            _display.Source = Source is { } source ? () => CountRows(source()) : null;
        }
    }

    /// <summary>Writes the event <c>start</c> and the notices so far. Shows nothing.</summary>
    /// <inheritdoc cref="Start"/>
    public void Announce(JobOptions job, string? baseUrl, long? rows, long kept)
    {
        events?.Start(job.Input, job.Output, baseUrl, rows, kept);
        _started = true;
        _early.ForEach(text => events?.Notice(text));
    }

    /// <summary>Notes that a row has failed for good.</summary>
    public void RowFailed(string id, LlmException failure)
    {
        Interlocked.Increment(ref _failedRows);
        Latest.Failed(id, failure);
        events?.RowFailed(id, failure);
    }

    /// <summary>Returns the statistics with the number of rows that have failed for good. To the engine, requests fail that the job sends
    /// again in its next run, and invalid rows do not exist.</summary>
    public TokenStats CountRows(TokenStats stats)
    {
        long failed = Interlocked.Read(ref _failedRows);
        return stats with { RequestsCompleted = stats.RequestsCompleted - stats.Failed + failed, Failed = failed };
    }

    /// <summary>Shows a notice of one line.</summary>
    public void Notice(string text)
    {
        if (_started)
        {
            events?.Notice(text);
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

    /// <summary>Shows a message that the user must not miss, also with <c>--quiet</c>.</summary>
    public void Warn(string text)
    {
        Notice(text);
        if (messages == TextWriter.Null)
        {
            errors.WriteLine(TerminalText.Clean(text));
        }
    }

    /// <summary>Shows that the run waits for requests in flight and sends no more.</summary>
    public void BeginDrain() => _display?.BeginDrain();

    /// <summary>Removes the display.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _display, null) is { } display)
        {
            await display.DisposeAsync();
        }
    }
}
