using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace FastLLM.Benchmarks.Load;

/// <summary>The result table as Markdown, with what one must know to compare it with another.</summary>
internal static class Report
{
    public static string Print(IReadOnlyList<Figure> figures, Flags flags)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"- Date: {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC");
        text.AppendLine(CultureInfo.InvariantCulture, $"- Commit: {flags.Text("--commit") ?? "unknown"}");
        text.AppendLine(CultureInfo.InvariantCulture, $"- Machine: {Environment.ProcessorCount} cores, {CpuModel()}, {RuntimeInformation.OSDescription}");
        text.AppendLine(CultureInfo.InvariantCulture, $"- Runtime: {RuntimeInformation.FrameworkDescription}");
        text.AppendLine(CultureInfo.InvariantCulture, $"- Command: {flags.Text("--command") ?? "load " + (flags.Word ?? "all")}");
        text.AppendLine();
        text.AppendLine("| # | Figure | Bar | Goal | Measured |");
        text.AppendLine("|---|---|---|---|---|");
        foreach (Figure figure in figures)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {figure.Id} | {figure.What} | {figure.Bar} | {figure.Goal} | {figure.Measured} |");
        }

        foreach (Figure figure in figures.Where(figure => figure.Details.Length > 0))
        {
            text.AppendLine().Append(figure.Details);
        }

        return text.ToString();
    }

    private static string CpuModel()
    {
        const string file = "/proc/cpuinfo";
        string? line = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
