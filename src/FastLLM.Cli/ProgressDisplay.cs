using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FastLLM.Cli;

/// <summary>Shows how a run comes along: a live display on an interactive terminal, else a plain line every 10 s, or nothing.</summary>
/// <remarks>
/// <para>Feed it as an <see cref="IProgress{T}"/>; reports only replace the latest numbers, drawing happens on a timer, at most ten times a second.
/// Give a <see cref="Source"/> where the numbers can be asked for, so that elapsed time and in flight stay true while nothing completes.</para>
/// <para>Safe for concurrent use. Dispose it before anything else is written to the terminal: only then the cursor is back.</para>
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
    private readonly long _started;
    private readonly ITimer? _timer;
    private volatile TokenStats _stats = new();
    private bool _draining;
    private bool _disposed;

    private ProgressDisplay(TextWriter? writer, Func<IRenderable, LiveScreen>? screen, long? total, TimeProvider time)
    {
        _writer = writer;
        _time = time;
        _total = total;
        _started = time.GetTimestamp();
        TimeSpan every = screen is null ? LineEvery : DrawEvery;
        if (writer is not null || screen is not null)
        {
            _screen = screen?.Invoke(Draw(unicode: false));
            _timer = time.CreateTimer(static display => ((ProgressDisplay)display!).Tick(), this, every, every);
        }
    }

    /// <summary>Gets or sets where fresh numbers are asked for at each drawing; <see langword="null"/> for what was reported last.</summary>
    public Func<TokenStats>? Source { get; set; }

    /// <summary>A display that says nothing (<c>--quiet</c>).</summary>
    public static ProgressDisplay None() => new(null, null, null, TimeProvider.System);

    /// <summary>A plain line every 10 s.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="total">How many requests there are, where known.</param>
    /// <param name="time">The clock.</param>
    public static ProgressDisplay Lines(TextWriter writer, long? total, TimeProvider time) => new(writer, null, total, time);

    /// <summary>A live display.</summary>
    /// <param name="console">The terminal.</param>
    /// <param name="total">How many requests there are, where known.</param>
    /// <param name="time">The clock.</param>
    public static ProgressDisplay Live(IAnsiConsole console, long? total, TimeProvider time) => new(null, first => new LiveScreen(console, first), total, time);

    /// <summary>What fits standard error: live on an interactive terminal, else plain lines.</summary>
    /// <param name="total">How many requests there are, where known.</param>
    /// <param name="quiet">Whether to say nothing.</param>
    /// <param name="environment">Reads an environment variable.</param>
    /// <param name="time">The clock.</param>
    public static ProgressDisplay OnStandardError(long? total, bool quiet, Func<string, string?> environment, TimeProvider time) =>
        quiet ? None()
        : Console.IsErrorRedirected || environment("TERM") is "dumb" ? Lines(Console.Error, total, time)
        : Live(Terminal(environment), total, time);

    /// <inheritdoc/>
    public void Report(TokenStats value) => _stats = value; // no lock: a terminal that stands still (Ctrl-S) must not hold up who reports

    /// <summary>Writes a line of text above the display, or on its own. Control characters are taken out.</summary>
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

    /// <summary>From now on says how many are awaited, each second where there is no live display: nothing new is sent any more.</summary>
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

    /// <summary>Takes the live display off the screen.</summary>
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

    // Spectre is loaded here and no earlier: other commands start without it.
    private static IAnsiConsole Terminal(Func<string, string?> environment) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = AnsiSupport.Yes,
        Interactive = InteractionSupport.Yes,
        ColorSystem = string.IsNullOrEmpty(environment("NO_COLOR")) ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        Out = new AnsiConsoleOutput(Console.Error),
    });

    private void Tick()
    {
        // Where the terminal stands still, ticks are dropped instead of waiting in line for it.
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

    [SuppressMessage("Design", "CA1031", Justification = "A display that fails must not end the run.")]
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
            _writer?.WriteLine(_draining ? Awaited() : ProgressText.Line(_stats, Total, Elapsed));
        }
    }

    private long? Total => _total ?? _stats.RequestsTotal;

    private TimeSpan Elapsed => _time.GetElapsedTime(_started);

    private string Awaited() => string.Create(
        CultureInfo.InvariantCulture, $"Stopping: waiting for {_stats.InFlight:N0} in flight, they are paid. Ctrl-C again: leave now.");

    private Rows Draw(bool unicode)
    {
        const int cells = 30;
        var head = new Paragraph();
        if (Total is > 0 and var total)
        {
            var full = (int)(cells * ProgressText.Share(_stats, total));
            head.Append(new string(unicode ? '━' : '#', full), new Style(_stats.Failed > 0 ? Color.Yellow : Color.Green));
            head.Append(new string(unicode ? '━' : '-', cells - full), new Style(Color.Grey));
            head.Append(" ");
        }

        head.Append($"{ProgressText.Done(_stats, Total)} · {ProgressText.Clock(_stats, Total, Elapsed)}");
        List<IRenderable> lines = [head, new Text(ProgressText.Outcomes(_stats)), new Text(ProgressText.Speed(_stats, Elapsed))]; // each fits 80 columns
        if (_draining)
        {
            lines.Add(new Text(Awaited(), new Style(Color.Yellow)));
        }

        return new Rows(lines);
    }

    /// <summary>Spectre's live display, held open while the run goes on. It only knows how to run inside a callback; the callback waits for the end.</summary>
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
