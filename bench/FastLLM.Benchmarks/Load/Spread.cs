using System.Globalization;

namespace FastLLM.Benchmarks.Load;

/// <summary>The median of what several rounds gave, and how far apart they were.</summary>
internal readonly record struct Spread(double Median, double Least, double Most)
{
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Spread(median, sorted[0], sorted[^1]);
    }

    /// <summary>Such as <c>1.05 (1.02-1.11)</c>.</summary>
    public string Print(string format = "F2") => string.Create(
        CultureInfo.InvariantCulture,
        $"{Median.ToString(format, CultureInfo.InvariantCulture)} ({Least.ToString(format, CultureInfo.InvariantCulture)}-{Most.ToString(format, CultureInfo.InvariantCulture)})");
}
