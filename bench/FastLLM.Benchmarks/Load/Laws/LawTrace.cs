using System.Diagnostics;
using System.Text.Json;

namespace FastLLM.Benchmarks.Load.Laws;

/// <summary>What a server has counted over time, from the first send on.</summary>
internal sealed class LawTrace
{
    private const double SettledShare = 0.8; // of the ideal: random refusals and probing may cost some of it in a short stretch

    private const double StalledShare = 0.05;

    private static readonly TimeSpan s_lookEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_startsWithin = TimeSpan.FromSeconds(60);

    private readonly List<Sample> _samples = [];

    /// <summary>Gets whether nothing was ever sent.</summary>
    public bool IsEmpty => _samples.Count == 0;

    /// <summary>Gets whether this machine was too busy for the figures to mean much: looks that are due each 100 ms came late.</summary>
    public bool IsUnsteady => _samples.Count < End / s_lookEvery.TotalSeconds * 2 / 3;

    private double End => _samples.Count == 0 ? 0 : _samples[^1].At;

    /// <summary>Reads a server's counts until that many seconds after its first send, or for a while where nobody sends.</summary>
    public static async Task<LawTrace> WatchAsync(string apiBase, double seconds)
    {
        using var client = new HttpClient();
        var address = new Uri(apiBase + "/../simulator/stats");
        var trace = new LawTrace();
        long watching = Stopwatch.GetTimestamp();
        long? start = null;
        while (start is { } first
            ? Stopwatch.GetElapsedTime(first).TotalSeconds < seconds
            : Stopwatch.GetElapsedTime(watching) < s_startsWithin)
        {
            await Task.Delay(s_lookEvery);
            using JsonDocument stats = JsonDocument.Parse(await client.GetByteArrayAsync(address));
            if (stats.RootElement.GetProperty("sends").GetInt64() > 0)
            {
                start ??= Stopwatch.GetTimestamp();
                trace._samples.Add(Sample.Of(Stopwatch.GetElapsedTime(start.Value).TotalSeconds, stats.RootElement));
            }
        }

        return trace;
    }

    /// <summary>Computes whether the last third of the run brought next to nothing.</summary>
    public bool HasStalled(double ideal) => Goodput(End * 2 / 3) < StalledShare * ideal;

    /// <summary>Computes the answers a second from a time on.</summary>
    public double Goodput(double after)
    {
        if (_samples.Count == 0 || End <= after)
        {
            return 0;
        }

        Sample from = At(after);
        return (_samples[^1].Answers - from.Answers) / (End - from.At);
    }

    /// <summary>Computes the share of sends that were refused, but not at random, from a time on.</summary>
    public double Refused(double after)
    {
        if (_samples.Count == 0)
        {
            return 0;
        }

        Sample from = At(after);
        long sends = _samples[^1].Sends - from.Sends;
        return sends == 0 ? 0 : (double)(_samples[^1].Refused - from.Refused) / sends;
    }

    /// <summary>Computes the seconds after which each stretch of the run brings most of the ideal.</summary>
    /// <returns><see langword="null"/> where the last stretch does not.</returns>
    public double? Settled(double ideal, double stretch)
    {
        double? settled = null;
        for (int i = _samples.Count - 1; i >= 0; i--)
        {
            Sample from = _samples[i];
            if (from.At + stretch > End)
            {
                continue;
            }

            Sample to = At(from.At + stretch);
            if ((to.Answers - from.Answers) / (to.At - from.At) < SettledShare * ideal)
            {
                break;
            }

            settled = from.At;
        }

        return settled;
    }

    // The last sample that is not later.
    private Sample At(double time) => _samples.FindLast(sample => sample.At <= time) ?? _samples[0];

    private sealed record Sample(double At, long Sends, long Answers, long Refused)
    {
        public static Sample Of(double at, JsonElement stats) => new(
            at,
            stats.GetProperty("sends").GetInt64(),
            stats.GetProperty("bodies_sent").GetInt64(),
            stats.GetProperty("throttled").EnumerateObject()
                .Where(law => !law.Name.StartsWith("random:", StringComparison.Ordinal)).Sum(law => law.Value.GetInt64()));
    }
}
