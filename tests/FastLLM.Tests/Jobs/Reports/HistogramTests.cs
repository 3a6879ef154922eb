using FastLLM.Jobs.Reports;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace FastLLM.Tests.Jobs.Reports;

public sealed class HistogramTests
{
    [Fact]
    public void Quantile_IsExactWithinATenthOfAPercent() =>
        Prop.ForAll<NonEmptyArray<uint>, byte>((values, percent) =>
        {
            var histogram = new Histogram();
            long[] sorted = [.. values.Get.Select(value => (long)value * value).Order()];
            Array.ForEach(sorted, histogram.Add);
            double share = (percent % 101) / 100.0;
            long exact = sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
            long told = histogram.Quantile(share);
            return told <= exact && told >= exact * 0.999 - 1;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Bars_CountEachNumberOnce()
    {
        var histogram = new Histogram();
        for (var i = 0; i < 1000; i++)
        {
            histogram.Add(i < 995 ? i : 1_000_000);
        }

        (long width, long[] bars, long above) = histogram.Bars(40);

        Assert.Equal(50, width);
        Assert.Equal(20, bars.Length);
        Assert.Equal(50, bars[0]);
        Assert.Equal(1000, bars.Sum() + above);
        Assert.Equal(5, above);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(long.MaxValue)]
    public void Quantile_OneNumber_IsThatNumber(long value)
    {
        var histogram = new Histogram();
        histogram.Add(value);

        Assert.InRange(histogram.Quantile(0.5), value - (value / 1000), value);
        Assert.Equal(1, histogram.Bars(40).Bars.Sum());
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(long.MaxValue / 2)]
    [InlineData(5_000_000_000_000_000_000)]
    public void Draw_HugeNumber_HasAxisUpToIt(long value)
    {
        var histogram = new Histogram();
        histogram.Add(3);
        histogram.Add(value);

        string svg = BarChart.Draw("Tokens", histogram, number => $"[{number}]").ToString();

        Assert.InRange(histogram.Bars(40).Bars.Length, 2, 40);
        Assert.DoesNotContain("[-", svg, StringComparison.Ordinal);
    }
}
