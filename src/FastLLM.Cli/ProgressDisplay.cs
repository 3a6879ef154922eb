using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FastLLM.Cli;

/// <summary>Shows the progress of a run: live on an interactive terminal, in a plain line every 10 s elsewhere, or not at all.</summary>
/// <remarks>
/// <para>A report only replaces the latest statistics; a timer draws them, at most ten times per second. Set <see cref="Source"/> to keep
/// the numbers current while no request completes.</para>
/// <para>Safe for concurrent use. Dispose it before writing anything else to the terminal, to restore the cursor.</para>
/// </remarks>
internal sealed class ProgressDisplay : IProgress<TokenStats>, IAsyncDisposable
{
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
    private volatile TokenStats _stats = new();
    private bool _draining;
    private bool _disposed;

    private ProgressDisplay(TextWriter? writer, Func<IRenderable, LiveScreen>? screen, long? total, TimeProvider time, long kept = 0)
    {
        _writer = writer;
        _time = time;
        _total = total;
        _kept = kept;
        _started = time.GetTimestamp();
        TimeSpan every = screen is null ? LineEvery : DrawEvery;
        if (writer is not null || screen is not null)
        {
            _screen = screen?.Invoke(Draw(unicode: false));
            _timer = time.CreateTimer(static display => ((ProgressDisplay)display!).Tick(), this, every, every);
        }
    }

    /// <summary>Gets or sets the callback that returns current statistics; <see langword="null"/> to show the last report.</summary>
    public Func<TokenStats>? Source { get; set; }

    /// <summary>Creates a display that shows nothing (<c>--quiet</c>).</summary>
    public static ProgressDisplay None() => new(null, null, null, TimeProvider.System);

    /// <summary>Creates a display that writes a plain line every 10 s.</summary>
    public static ProgressDisplay Lines(TextWriter writer, long? total, TimeProvider time, long kept = 0) =>
        new(writer, null, total, time, kept);

    /// <summary>Creates a live display on a terminal.</summary>
    public static ProgressDisplay Live(IAnsiConsole console, long? total, TimeProvider time, long kept = 0) =>
        new(null, first => new LiveScreen(console, first), total, time, kept);

    /// <summary>Creates the display for standard error: live on an interactive terminal, plain lines elsewhere.</summary>
    /// <param name="total">The number of rows; <see langword="null"/> if it is unknown.</param>
    /// <param name="kept">The number of rows that an earlier run has completed.</param>
    /// <param name="quiet">Whether to show nothing.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <param name="time">The clock.</param>
    public static ProgressDisplay OnStandardError(
        long? total, long kept, bool quiet, Func<string, string?> environment, TimeProvider time) =>
        quiet ? None()
        : Console.IsErrorRedirected || environment("TERM") is "dumb" ? Lines(Console.Error, total, time, kept)
        : Live(Terminal(environment), total, time, kept);

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
                await _screen.EndAsync().ConfigureAwait(false);
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
            _screen.Show(Draw(_screen.Unicode));
        }
        else
        {
            _writer?.WriteLine(_draining ? DrainText() : ProgressText.Line(_stats, Total, Elapsed, _kept));
        }
    }

    private long? Total => _total ?? (_stats.RequestsTotal is { } total ? total + _kept : null);

    private TimeSpan Elapsed => _time.GetElapsedTime(_started);

    private string DrainText() => string.Create(
        CultureInfo.InvariantCulture, $"Stopping: waiting for {_stats.InFlight:N0} in flight. Press Ctrl-C again to exit at once.");

    private Rows Draw(bool unicode)
    {
        const int cells = 30;
        var head = new Paragraph();
        if (Total is > 0 and var total)
        {
            var full = (int)(cells * ProgressText.Share(_stats, total, _kept));
            head.Append(new string(unicode ? '━' : '#', full), new Style(_stats.Failed > 0 ? Color.Yellow : Color.Green));
            head.Append(new string(unicode ? '━' : '-', cells - full), new Style(Color.Grey));
            head.Append(" ");
        }

        head.Append($"{ProgressText.Done(_stats, Total, _kept)} · {ProgressText.Clock(_stats, Total, Elapsed, _kept)}");
        // Each line fits in 80 columns.
        List<IRenderable> lines = [head, new Text(ProgressText.Outcomes(_stats, _kept)), new Text(ProgressText.Speed(_stats, Elapsed))];
        if (_draining)
        {
            lines.Add(new Text(DrainText(), new Style(Color.Yellow)));
        }

        return new Rows(lines);
    }

    /// <summary>Keeps Spectre's live display open during the run. Spectre needs a callback for that, which waits for the end.</summary>
    private sealed class LiveScreen
    {
        private readonly IAnsiConsole _console;
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Task _shown;
        private LiveDisplayContext? _context;

        public LiveScreen(IAnsiConsole console, IRenderable first)
        {
            _console = console;
            _shown = console.Live(first).AutoClear(true).StartAsync(async context =>
            {
                _context = context;
                await _end.Task.ConfigureAwait(false);
            });
        }

        public bool Unicode => _console.Profile.Capabilities.Unicode;

        public void Show(IRenderable what) => _context?.UpdateTarget(what);

        public void WriteLine(string text) => _console.WriteLine(text);

        public async Task EndAsync()
        {
            _end.TrySetResult();
            await _shown.ConfigureAwait(false);
        }
    }
}
