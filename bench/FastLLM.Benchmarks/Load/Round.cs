using System.Diagnostics;
using System.Globalization;
using FastLLM.Benchmarks.Candidates;

namespace FastLLM.Benchmarks.Load;

/// <summary>One measured run of one candidate.</summary>
/// <param name="Cpu">User and system time of this process, as the operating system counts it.</param>
/// <param name="Allocated">Bytes allocated on the managed heap.</param>
/// <param name="Collections">Garbage collections of generations 0 (all), 1 and 2.</param>
internal sealed record Round(int Requests, TimeSpan Elapsed, TimeSpan Cpu, long Allocated, (int All, int First, int Second) Collections)
{
    public double CpuMicroseconds => Cpu.TotalMicroseconds / Requests;

    public double Bytes => (double)Allocated / Requests;

    public double PerSecond => Requests / Elapsed.TotalSeconds;

    /// <summary>Runs a candidate once, on prompts that nobody has asked before.</summary>
    /// <exception cref="InvalidOperationException">An answer is missing: the figures would mean nothing.</exception>
    public static async Task<Round> RunAsync(ICandidate candidate, string apiBase, int requests, int inFlight)
    {
        var workload = new Workload(requests);
        Func<Task<int>> run = candidate.Prepare(apiBase, workload, inFlight);
        Settle();
        (int All, int First, int Second) collections = CountCollections();
        long allocated = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();

        int answers = await run();

        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        cpu = Environment.CpuUsage.TotalTime - cpu;
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        (int All, int First, int Second) now = CountCollections();
        return answers == requests
            ? new Round(requests, elapsed, cpu, allocated, (now.All - collections.All, now.First - collections.First, now.Second - collections.Second))
            : throw new InvalidOperationException($"{candidate.Name}: {answers} answers to {requests} requests.");
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{CpuMicroseconds,7:F1} µs CPU {Bytes,8:F0} B {PerSecond,8:F0} requests/s, collections {Collections.All}/{Collections.First}/{Collections.Second}");

    // The garbage of one round is not the next one's cost.
    private static void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    private static (int All, int First, int Second) CountCollections() => (GC.CollectionCount(0), GC.CollectionCount(1), GC.CollectionCount(2));
}
