using FastLLM.Cli;
using FastLLM.Pipeline;
using FastLLM.TestKit;
using Spectre.Console;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class ProgressDisplayTests : IDisposable
{
    private static readonly TokenStats s_stats = new()
    {
        RequestsCompleted = 250,
        Failed = 4,
        CacheHits = 20,
        Shared = 12,
        InFlight = 100,
        PromptTokens = 5_000,
        CompletionTokens = 10_000,
        TotalTokens = 15_000,
    };

    private readonly ManualTimeProvider _time = new();
    private readonly StringWriter _written = new();

    public void Dispose() => _written.Dispose();

    [Fact]
    public async Task Lines_AppearEveryTenSeconds()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(_written, 1_000, _time);
        display.Report(s_stats);
        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.Empty(_written.ToString());

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(
            $"250/1,000 (25%) · 246 ok · 4 failed · 20 cached · 12 shared · 25.0 rows/s · prompt 500 · completion 1,000 tokens/s · 100 in flight · 0:10 · 0:30 left{Environment.NewLine}",
            _written.ToString());

        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(3, Lines().Length);
    }

    [Fact]
    public async Task Lines_ResumedRun_CountKeptRowsAtTheRateOfThisRun()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(_written, 1_000, _time, kept: 500);
        display.Report(s_stats);
        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.StartsWith(
            "750/1,000 (75%) · 246 ok · 4 failed · 20 cached · 12 shared · 500 kept · ", _written.ToString(), StringComparison.Ordinal);
        Assert.EndsWith($"0:10 · 0:10 left{Environment.NewLine}", _written.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_WhileAllRequestsWaitForTheProvider_EstimateNoEnd()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(_written, 1_000, _time);
        display.Report(s_stats with { InFlight = 0, LimitedBy = Bottleneck.BackOff });
        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.EndsWith($" · 0:10{Environment.NewLine}", _written.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_WithSource_ShowCurrentStatistics()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(_written, null, _time);
        display.Source = () => s_stats with { InFlight = 7 };
        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.Contains("250 done", _written.ToString(), StringComparison.Ordinal);
        Assert.Contains("· 7 in flight", _written.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("left", _written.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_ShowConcurrencyLimitAndBottleneck()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(_written, null, _time);
        display.Report(s_stats with { InFlight = 18, ConcurrencyLimit = 20, LimitedBy = Bottleneck.RequestsPerMinute });
        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.Contains("· 18/20 in flight · requests/min ·", _written.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_ShowWhatWasLearned()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(_written, null, _time);
        display.Report(s_stats with { InFlight = 18, ConcurrencyLimit = 20, LearnedLimits = [new LearnedLimits { Model = "m", InFlight = 20 }] });
        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.Contains("· 18/20 in flight · provider: about 20 in flight ·", _written.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Drain_ShowsRequestsInFlightEachSecond()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(_written, 1_000, _time);
        display.Report(s_stats);
        display.BeginDrain();
        display.Report(s_stats with { InFlight = 3 });
        _time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(3, Lines().Length);
        Assert.Contains("waiting for 100 in flight", Lines()[0], StringComparison.Ordinal);
        Assert.Contains("waiting for 3 in flight", Lines()[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Drain_NothingInFlight_SaysOnceThatTheOutputIsFinished()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(_written, 1_000, _time);
        display.BeginDrain();
        display.Report(s_stats with { InFlight = 0 });
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal("Stopping: finishing the output. Press Ctrl-C again to exit at once.", Assert.Single(Lines()));
    }

    [Fact]
    public async Task None_WritesNothing()
    {
        await using ProgressDisplay display = ProgressDisplay.None();
        display.Report(s_stats);
        display.WriteLine("x");
        display.BeginDrain();
    }

    [Fact]
    public async Task Dispose_StopsTheTimer()
    {
        ProgressDisplay display = ProgressDisplay.Lines(_written, 10, _time);
        await display.DisposeAsync();
        await display.DisposeAsync();
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Empty(_written.ToString());
        Assert.Equal(0, _time.ActiveTimers);
    }

    [Fact]
    public async Task Live_DrawsAtMostTenTimesPerSecond()
    {
        await using ProgressDisplay display = ProgressDisplay.Live(Terminal(ColorSystemSupport.NoColors), 1_000, _time);
        for (var i = 0; i < 1_000; i++)
        {
            display.Report(s_stats with { RequestsCompleted = i });
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        string screen = _written.ToString();
        int drawn = screen.Split("in flight").Length - 1;
        Assert.InRange(drawn, 9, 12);
        Assert.Contains("(99%)", screen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Live_NoColor_WritesNoStyles()
    {
        ProgressDisplay display = ProgressDisplay.Live(Terminal(ColorSystemSupport.NoColors), 1_000, _time);
        display.Report(s_stats);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        display.WriteLine("provider said \u001b[31mred");
        await display.DisposeAsync();

        string screen = _written.ToString();
        Assert.Contains("250/1,000 (25%)", screen, StringComparison.Ordinal);
        Assert.Contains("246 ok   4 failed   20 cached   12 deduplicated", screen, StringComparison.Ordinal);
        Assert.Contains("provider said [31mred", screen, StringComparison.Ordinal);
        Assert.DoesNotMatch("\u001b\\[[0-9;]*m", screen); // no color, no style
        Assert.EndsWith("\u001b[J", screen, StringComparison.Ordinal); // nothing of the display is left
        Assert.DoesNotContain("\u001b[?25l", screen, StringComparison.Ordinal); // a killed process leaves the cursor as it was
    }

    [Theory]
    [InlineData(200, 4)]
    [InlineData(40, 8)] // wrapped by the terminal
    public async Task Live_ResizedTerminal_ErasesWhatItShows(int width, int rows)
    {
        IAnsiConsole console = Terminal(ColorSystemSupport.NoColors);
        await using ProgressDisplay display = ProgressDisplay.Live(console, 1_000, _time);
        display.Report(s_stats);
        _time.Advance(TimeSpan.FromMilliseconds(100));
        console.Profile.Width = width;
        _time.Advance(TimeSpan.FromMilliseconds(100));

        string[] moves = _written.ToString().Split("\u001b[", StringSplitOptions.None);
        Assert.Contains($"{rows - 1}A", moves.Select(move => move.Split('A')[0] + "A"));
    }

    [Fact]
    public async Task Live_NarrowerTerminalThanItSaid_WrapsNoLine()
    {
        await using ProgressDisplay display = ProgressDisplay.Live(Terminal(ColorSystemSupport.NoColors), 1_000, _time);
        display.Report(s_stats);
        _time.Advance(TimeSpan.FromMilliseconds(200));

        string[] frames = _written.ToString().Split("\u001b[?7l", StringSplitOptions.None);
        Assert.InRange(frames.Length, 2, 10);
        Assert.All(frames[1..], frame => Assert.EndsWith("\u001b[?7h", frame.Split('\r')[0], StringComparison.Ordinal));
    }

    [Fact]
    public async Task FailingTerminal_IsIgnored()
    {
        await using ProgressDisplay display = ProgressDisplay.Lines(new BrokenWriter(), 10, _time);
        _time.Advance(TimeSpan.FromSeconds(10));
        display.WriteLine("x");
        display.BeginDrain();
    }

    [Fact]
    public async Task SuspendedTerminal_DoesNotBlockReports()
    {
        using var writer = new SuspendedWriter();
        await using ProgressDisplay display = ProgressDisplay.Lines(writer, 10, _time);
        Task tick = Task.Run(() => _time.Advance(TimeSpan.FromSeconds(10)), TestContext.Current.CancellationToken);
        await writer.Entered.Task;

        display.Report(s_stats);
        _time.Advance(TimeSpan.FromSeconds(10)); // the next tick is dropped

        Assert.False(tick.IsCompleted);
        writer.Go.Set();
        await tick;
    }

    private IAnsiConsole Terminal(ColorSystemSupport colors)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            Interactive = InteractionSupport.Yes,
            ColorSystem = colors,
            Out = new AnsiConsoleOutput(_written),
        });
        console.Profile.Width = 200;
        return console;
    }

    private string[] Lines() => _written.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);

    private sealed class SuspendedWriter : StringWriter
    {
        public TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ManualResetEventSlim Go { get; } = new();

        public override void WriteLine(string? value)
        {
            Entered.TrySetResult();
            Go.Wait();
        }

        protected override void Dispose(bool disposing)
        {
            Go.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class BrokenWriter : StringWriter
    {
        public override void WriteLine(string? value) => throw new IOException("closed");
    }
}
