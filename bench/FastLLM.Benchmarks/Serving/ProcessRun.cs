using System.Diagnostics;
using System.Globalization;

namespace FastLLM.Benchmarks.Serving;

/// <summary>What a whole process took, from its start to its end.</summary>
/// <param name="Output">What it wrote to standard output.</param>
/// <param name="Cpu">User and system time, as last seen before the end.</param>
/// <param name="PeakMegabytes">The peak of its resident memory, as last seen before the end.</param>
internal sealed record ProcessRun(string Output, TimeSpan Elapsed, TimeSpan Cpu, double PeakMegabytes)
{
    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(20);

    // What the tool ends with if rows have failed.
    private const int RowsFailed = 1;

    /// <summary>Starts a process whose standard output is redirected, and sees it to its end.</summary>
    /// <param name="start">Starts it.</param>
    /// <param name="rowsMayFail">Whether the tool may end with rows that have failed, which are to be counted.</param>
    /// <exception cref="InvalidOperationException">It ended with something else than 0.</exception>
    public static async Task<ProcessRun> MeasureAsync(Func<Process> start, bool rowsMayFail = false)
    {
        long started = Stopwatch.GetTimestamp();
        using Process process = start();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task end = process.WaitForExitAsync();
        TimeSpan cpu = default;
        double peak = 0;
        while (await Task.WhenAny(end, Task.Delay(s_lookEvery)) != end)
        {
            try
            {
                cpu = process.TotalProcessorTime;
                peak = PeakMegabytesOf(process);
            }
            catch (Exception e) when (e is InvalidOperationException or IOException or System.ComponentModel.Win32Exception)
            {
                // It has ended in between.
            }
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
        return process.ExitCode == 0 || (rowsMayFail && process.ExitCode == RowsFailed)
            ? new ProcessRun(await output, elapsed, cpu, peak)
            : throw new InvalidOperationException($"{process.StartInfo.FileName} ended with {process.ExitCode}.");
    }

    /// <summary>The peak of a process's resident memory so far.</summary>
    public static double PeakMegabytesOf(Process process)
    {
        string file = string.Create(CultureInfo.InvariantCulture, $"/proc/{process.Id}/status");
        if (!OperatingSystem.IsLinux())
        {
            process.Refresh();
            return process.PeakWorkingSet64 / 1e6;
        }

        string line = File.ReadLines(file).FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            ?? throw new InvalidOperationException("The process has ended.");
        return double.Parse(line["VmHWM:".Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture) * 1024 / 1e6;
    }
}
