using System.Numerics;

namespace FastLLM.Jobs.Reports;

/// <summary>Counts numbers from 0 up, each to within 0.1 %, in memory that does not grow with their count.</summary>
/// <remarks>There are 1,024 steps between a power of two and the next; below 1,024 each number has its own step.</remarks>
internal sealed class Histogram
{
    private const int Bits = 10;
    private const int Steps = 1 << Bits;

    private long[] _counts = [];

    public long Count { get; private set; }

    public long Sum { get; private set; }

    public long Max { get; private set; }

    public void Add(long value)
    {
        value = Math.Max(0, value);
        int index = IndexOf(value);
        if (index >= _counts.Length)
        {
            Array.Resize(ref _counts, (index | (Steps - 1)) + 1);
        }

        _counts[index]++;
        Count++;
        Max = Math.Max(Max, value);
        Sum = Sum > long.MaxValue - value ? long.MaxValue : Sum + value;
    }

    /// <summary>Gets the number of values, their sum and their quantiles.</summary>
    public ReportSpread Spread() => Count == 0 ? default : new ReportSpread(Count, Sum, Quantile(0.5), Quantile(0.9), Quantile(0.99), Max);

    /// <summary>Gets the smallest number that at least this share of all numbers does not exceed.</summary>
    public long Quantile(double share)
    {
        long rank = Math.Max(1, (long)Math.Ceiling(share * Count));
        long seen = 0;
        for (var index = 0; index < _counts.Length; index++)
        {
            seen += _counts[index];
            if (seen >= rank)
            {
                return Math.Min(Max, LowOf(index));
            }
        }

        return Max;
    }

    /// <summary>Gets the counts in bars of one width: 1, 2 or 5 times a power of ten. The largest hundredth shares one bar.</summary>
    /// <param name="max">The maximum number of bars.</param>
    public (long Width, long[] Bars, long Above) Bars(int max)
    {
        long top = Quantile(0.99);
        long width = NiceWidth(top, max);
        var bars = new long[(top / width) + 1];
        long above = 0;
        for (var index = 0; index < _counts.Length; index++)
        {
            long bar = LowOf(index) / width;
            if (bar < bars.Length)
            {
                bars[bar] += _counts[index];
            }
            else
            {
                above += _counts[index];
            }
        }

        return (width, bars, above);
    }

    private static long NiceWidth(long top, int max)
    {
        for (long power = 1; ; power *= 10)
        {
            foreach (long width in (ReadOnlySpan<long>)[power, 2 * power, 5 * power])
            {
                if (top / width < max)
                {
                    return width;
                }
            }
        }
    }

    private static int IndexOf(long value)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)value) - Bits);
        return (shift << Bits) + (int)(value >> shift);
    }

    private static long LowOf(int index)
    {
        int shift = Math.Max(0, (index >> Bits) - 1);
        return (long)(index - (shift << Bits)) << shift;
    }
}
