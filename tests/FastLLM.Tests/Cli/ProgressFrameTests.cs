using FastLLM.Cli;
using FastLLM.RateLimiting;
using FastLLM.TestKit;
using Spectre.Console.Rendering;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class ProgressFrameTests
{
    private static readonly TokenStats s_stats = new()
    {
        RequestsCompleted = 1_234,
        Failed = 12,
        CacheHits = 30,
        Shared = 12,
        Sent = 1_300,
        Retried = 3,
        Throttled = 18,
        InFlight = 64,
        ConcurrencyLimit = 64,
        LimitedBy = Bottleneck.Concurrency,
        LearnedLimits = [new LearnedLimits { Model = "m", InFlight = 64 }],
        PromptTokens = 123_456,
        CompletionTokens = 45_678,
        Cost = 0.1234m,
    };

    private static readonly ProgressState s_state = new(s_stats, 3_000, 0, TimeSpan.FromSeconds(42))
    {
        RowsPerSecond = 29.4,
        LastError = "row 17  InvalidRequest: The prompt is too long for this model, by a few hundred tokens more than it accepts.",
        Answers = [("1,232", "good"), ("1,233", "bad"), ("1,234", "The kettle is fine, but the handle fell off.")],
    };

    [Fact]
    public void Lines_80Columns_HoldEverythingButAnswers()
    {
        Assert.Equal(
            """
            ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 1,234/3,000 (41%)  0:42  1:01 left
            1,222 ok   12 failed   30 cached   12 deduplicated
            29.4 rows/s   123,456 tokens in   45,678 out   3 retries   18 throttled
            $0.123 so far   about $0.30 in all
            64/64 in flight   bottleneck concurrency   provider about 64 in flight
            last failure  row 17  InvalidRequest: The prompt is too long for this model, b…
            """.ReplaceLineEndings("\n"),
            TextOf(s_state, 80));
    }

    [Fact]
    public void Lines_WideTerminal_ShowTheLastAnswers()
    {
        string[] lines = TextOf(s_state, 120).Split('\n');

        Assert.Contains("row 1,232  good", lines);
        Assert.Contains("row 1,234  The kettle is fine, but the handle fell off.", lines);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(40)]
    [InlineData(80)]
    [InlineData(300)]
    public void Lines_AnyWidth_LeaveTheLastColumnFree(int width) =>
        Assert.All(ProgressFrame.Lines(s_state, width, unicode: true), line => Assert.InRange(Segment.CellCount(line), 1, width - 1));

    [Fact]
    public void Lines_AsciiTerminal_HaveNoOtherCharacters() =>
        Assert.All(TextOf(s_state, 80, unicode: false), c => Assert.InRange(c, '\n', '~'));

    [Fact]
    public void Lines_UnknownTotalWithoutPrices_OmitWhatIsUnknown()
    {
        string text = TextOf(new ProgressState(s_stats with { Cost = 0 }, null, 0, TimeSpan.FromSeconds(42)), 80);

        Assert.StartsWith("1,234 done  0:42\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("$", text, StringComparison.Ordinal);
        Assert.DoesNotContain("left", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_Controls_ShowKeysAndPause()
    {
        using var limiters = new RateLimiters(10, adaptive: false, new ManualTimeProvider());
        var controls = new RunControls(limiters, 10, () => { });

        Assert.EndsWith("p pause   + - requests in flight   q stop", TextOf(s_state with { Controls = controls }, 80), StringComparison.Ordinal);
        controls.Press('p');
        Assert.EndsWith("Press p to continue, or q to stop.", TextOf(s_state with { Controls = controls }, 80), StringComparison.Ordinal);
        Assert.Contains("waiting for 64 in flight", TextOf(s_state with { Controls = controls, IsDraining = true }, 80), StringComparison.Ordinal);
    }

    [Fact]
    public void RecentRate_ForgetsWhatIsOlderThanTenSeconds()
    {
        var rate = new RecentRate();

        Assert.Null(rate.Note(TimeSpan.FromSeconds(0.1), 5));
        Assert.Equal(10, rate.Note(TimeSpan.FromSeconds(1), 10));
        for (var second = 2; second <= 30; second++)
        {
            rate.Note(TimeSpan.FromSeconds(second), 10);
        }

        Assert.Equal(0, rate.Note(TimeSpan.FromSeconds(30.1), 10));
    }

    private static string TextOf(ProgressState state, int width, bool unicode = true) =>
        string.Join('\n', ProgressFrame.Lines(state, width, unicode).Select(line => string.Concat(line.Select(segment => segment.Text))));
}
