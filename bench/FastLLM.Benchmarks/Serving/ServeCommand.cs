using FastLLM.Simulator;

namespace FastLLM.Benchmarks.Serving;

/// <summary>The server's side: the simulator in its plainest mode, in a process of its own so that the client's CPU time is the client's only.</summary>
internal static class ServeCommand
{
    public static async Task<int> RunAsync(Flags flags)
    {
        SimulatorOptions options = Options(flags.Number("--latency", 0), flags.Number("--sigma", 0), flags.Int("--seed", 0));
        options.RequestsPerMinute = flags.Text("--rpm") is null ? null : flags.Int("--rpm", 0);
        options.TokensPerMinute = flags.Text("--tpm") is null ? null : flags.Int("--tpm", 0);
        options.ThrottleLaws = [.. flags.All("--throttle").Select(ThrottleLaw.Parse)];
        options.ThrottleChanges = [.. flags.All("--throttle-at").Select(ThrottleChange.Parse)];
        if (flags.Text("--throttle-retry-after") is { } rule)
        {
            options.ThrottleRetryAfter = ThrottleRetryAfter.Parse(rule);
        }

        await using SimulatorServer server = await SimulatorServer.StartAsync(options);
        await Console.Out.WriteLineAsync(server.ApiBase);

        // Standard input ends when whoever started this closes it, or dies.
        await Console.In.ReadToEndAsync();
        return 0;
    }

    /// <summary>The options of a server started with these arguments, by which a benchmark knows its latencies beforehand.</summary>
    public static SimulatorOptions Options(double latencyMilliseconds, double sigma, int seed = 0) => new()
    {
        Compact = true,
        Latency = TimeSpan.FromMilliseconds(latencyMilliseconds),
        LatencySigma = sigma,
        Seed = seed,
    };
}
