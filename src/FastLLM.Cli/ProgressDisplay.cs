using System.Diagnostics.CodeAnalysis;
using Spectre.Console;

namespace FastLLM.Cli;

/// <summary>Shows the progress of a run: live on an interactive terminal, in a plain line every 10 s elsewhere, or not at all.</summary>
/// <remarks>
/// <para>A report only replaces the latest statistics; a timer draws them, at most ten times per second. Set <see cref="Source"/> to keep
/// the numbers current while no request completes.</para>
/// <para>Safe for concurrent use. Dispose it before writing anything else to the terminal, to restore the cursor.</para>
/// </remarks>
internal sealed class ProgressDisplay : IProgress<TokenStats>, IAsyncDisposable
{
    // Many fields because the numbers of a run, its place and its clock are drawn together.
    private static readonly TimeSpan LineEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DrawEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan DrainLineEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly TextWriter? _writer;
    private readonly LiveScreen? _screen;
    private readonly TimeProvider _time;
    private readonly long? _total;
    private readonly long _kept;
    private readonly long _started;
    private readonly ITimer? _timer;
    private readonly RecentRate _rate = new();
    private volatile TokenStats _stats = new();
    private bool _draining;
    private bool _isFinishing;
    private bool _disposed;

    private ProgressDisplay(TextWriter? writer, LiveScreen? screen, long? total, TimeProvider time, long kept = 0)
    {
        _writer = writer;
        _time = time;
        _total = total;
        _kept = kept;
        _started = time.GetTimestamp();
        TimeSpan every = screen is null ? LineEvery : DrawEvery;
        if (writer is not null || screen is not null)
        {
            _screen = screen;
            _timer = time.CreateTimer(static display => ((ProgressDisplay)display!).Tick(), this, every, every);
        }
    }

    /// <summary>Gets or sets the callback that returns current statistics; <see langword="null"/> to show the last report.</summary>
    public Func<TokenStats>? Source { get; set; }

    /// <summary>Gets the latest rows to show; <see langword="null"/> for none.</summary>
    public LatestRows? LatestRows { get; init; }

    /// <summary>Gets the keys that control the run; <see langword="null"/> if there are none.</summary>
    public RunControls? Controls { get; init; }

    /// <summary>Gets a value indicating whether the display is drawn on a terminal.</summary>
    public bool IsLive => _screen is not null;

    /// <summary>Creates a display that shows nothing (<c>--quiet</c>).</summary>
    public static ProgressDisplay None() => new(null, null, null, TimeProvider.System);

    /// <summary>Creates a display that writes a plain line every 10 s.</summary>
    public static ProgressDisplay Lines(TextWriter writer, long? total, TimeProvider time, long kept = 0) =>
        new(writer, null, total, time, kept);

    /// <summary>Creates a live display on a terminal.</summary>
    public static ProgressDisplay Live(
        IAnsiConsole console, long? total, TimeProvider time, long kept = 0, LatestRows? rows = null, RunControls? controls = null) =>
        new(null, new LiveScreen(console), total, time, kept) { LatestRows = rows, Controls = controls };

    /// <summary>Creates the display for standard error: live on an interactive terminal, plain lines elsewhere.</summary>
    /// <param name="total">The number of rows; <see langword="null"/> if it is unknown.</param>
    /// <param name="kept">The number of rows that an earlier run has completed.</param>
    /// <param name="quiet">Whether to show nothing.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <param name="time">The clock.</param>
    /// <param name="rows">The latest rows to show.</param>
    /// <param name="controls">The keys that control the run, if any.</param>
    public static ProgressDisplay OnStandardError(
        long? total, long kept, bool quiet, Func<string, string?> environment, TimeProvider time, LatestRows rows, RunControls? controls) =>
        quiet ? None()
        : !IsLiveOnStandardError(environment) ? Lines(Console.Error, total, time, kept)
        : Live(Terminal(environment), total, time, kept, rows, controls);

    /// <summary>Returns whether standard error is a terminal that can be drawn on.</summary>
    public static bool IsLiveOnStandardError(Func<string, string?> environment) =>
        !Console.IsErrorRedirected && environment("TERM") is not "dumb";

    /// <inheritdoc/>
    public void Report(TokenStats value) => _stats = value; // no lock: a suspended terminal (Ctrl-S) must not block the caller

    /// <summary>Writes a line above the display, or on its own, without control characters.</summary>
    public void WriteLine(string text) => Guarded(() =>
    {
        if (_screen is not null && !_disposed)
        {
            _screen.WriteLine(TerminalText.Clean(text));
        }
        else
        {
            _writer?.WriteLine(TerminalText.Clean(text));
        }
    });

    /// <summary>Shows from now on how many requests in flight the run waits for; without a live display once per second.</summary>
    public void BeginDrain() => Guarded(() =>
    {
        if (_draining || _disposed)
        {
            return;
        }

        _draining = true;
        if (_screen is null)
        {
            _timer?.Change(DrainLineEvery, DrainLineEvery);
        }

        Show();
    });

    /// <summary>Removes the live display from the screen.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        if (_timer is not null)
        {
            await _timer.DisposeAsync().ConfigureAwait(false);
        }

        if (_screen is not null)
        {
            try
            {
                _screen.Clear();
            }
            catch (IOException)
            {
                // The terminal is gone.
            }
        }
    }

    // Loads Spectre.Console only here, so that other commands start without it.
    private static IAnsiConsole Terminal(Func<string, string?> environment) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = AnsiSupport.Yes,
        Interactive = InteractionSupport.Yes,
        ColorSystem = string.IsNullOrEmpty(environment("NO_COLOR")) ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        Out = new AnsiConsoleOutput(Console.Error),
    });

    private void Tick()
    {
        // While the terminal is suspended, ticks are dropped instead of queued.
        if (!_gate.TryEnter())
        {
            return;
        }

        try
        {
            Guarded(() =>
            {
                if (Source?.Invoke() is { } fresh)
                {
                    _stats = fresh;
                }

                if (!_disposed)
                {
                    Show();
                }
            });
        }
        finally
        {
            _gate.Exit();
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "A failing display must not stop the run.")]
    private void Guarded(Action action)
    {
        lock (_gate)
        {
            try
            {
                action();
            }
            catch (Exception)
            {
                // The terminal is gone, or the pipe is closed.
            }
        }
    }

    private void Show()
    {
        if (_screen is not null)
        {
            _screen.Show(ProgressFrame.Lines(State(), _screen.Width, _screen.Unicode));
        }
        else
        {
            bool isFinishing = _draining && _stats.InFlight == 0;
            if (!isFinishing || !_isFinishing)
            {
                _writer?.WriteLine(_draining ? ProgressText.Drain(_stats) : ProgressText.Line(_stats, Total, Elapsed, _kept));
            }

            _isFinishing = isFinishing;
        }
    }

    private long? Total => _total ?? (_stats.RequestsTotal is { } total ? total + _kept : null);

    private TimeSpan Elapsed => _time.GetElapsedTime(_started);

    private ProgressState State() => new(_stats, Total, _kept, Elapsed)
    {
        RowsPerSecond = _rate.Note(Elapsed, _stats.RequestsCompleted),
        LastError = LatestRows?.LastError,
        Answers = LatestRows?.Answers ?? [],
        Controls = Controls,
        IsDraining = _draining,
    };
}
