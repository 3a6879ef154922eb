using FastLLM.Jobs.Reports;
using Xunit;

namespace FastLLM.Tests.Jobs.Reports;

public sealed class TimelineTests
{
    private static readonly DateTimeOffset s_begin = new(2026, 1, 31, 9, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Bars_PauseBetweenRuns_IsLeftOut()
    {
        var timeline = new Timeline();
        for (var i = 0; i < 100; i++)
        {
            timeline.Add(s_begin.AddSeconds(i < 50 ? i : i + 86_400), succeeded: i % 10 != 0, wasSent: i % 2 == 0, limitedBy: i < 30 ? "input" : "concurrency");
        }

        (int width, IReadOnlyList<Timeline.Stretch> stretches) = timeline.Bars(110);

        Assert.Equal(1, width);
        Assert.Equal([50, 50], stretches.Select(stretch => stretch.Bars.Count));
        Assert.Equal(100, stretches.Sum(stretch => stretch.Bars.Sum(bar => bar.All)));
        Assert.Equal("input", timeline.Bottlenecks[stretches[0].Bars[29].Factor]);
        Assert.Equal("concurrency", timeline.Bottlenecks[stretches[0].Bars[30].Factor]);
    }

    [Fact]
    public void Add_ADayOfSeconds_KeepsEveryRow()
    {
        var timeline = new Timeline();
        for (var i = 0; i < 200_000; i++)
        {
            timeline.Add(s_begin.AddSeconds(i), succeeded: true, wasSent: true, limitedBy: null);
        }

        (int width, IReadOnlyList<Timeline.Stretch> stretches) = timeline.Bars(110);

        Assert.InRange(stretches.Sum(stretch => stretch.Bars.Count), 2, 112);
        Assert.Equal(200_000, stretches.Sum(stretch => stretch.Bars.Sum(bar => bar.All)));
        Assert.Equal(0, width % 60);
    }

    [Fact]
    public void Bars_ExtremeTimes_AreDrawn()
    {
        var timeline = new Timeline();
        timeline.Add(DateTimeOffset.MinValue, true, true, null);
        timeline.Add(s_begin, true, true, null);
        timeline.Add(DateTimeOffset.MaxValue, true, true, null);

        Assert.Equal(3, timeline.Bars(110).Stretches.Count);
        Assert.StartsWith("<svg", TimeChart.Draw(timeline).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Bars_AThousandRuns_AreFewBars()
    {
        var timeline = new Timeline();
        for (var i = 0; i < 1000; i++)
        {
            timeline.Add(s_begin.AddDays(i), true, true, null);
        }

        Assert.InRange(timeline.Bars(110).Stretches.Sum(stretch => stretch.Bars.Count), 1, 1000);
        Assert.DoesNotContain("width=\"-", TimeChart.Draw(timeline).ToString(), StringComparison.Ordinal);
    }
}
