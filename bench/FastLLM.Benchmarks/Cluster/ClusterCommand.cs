using FastLLM.TestKit.Servers;

namespace FastLLM.Benchmarks.Cluster;

/// <summary>A cluster of real servers and of <c>fastllm worker</c> processes on this machine: kills, equal requests, speed, memory.</summary>
internal static class ClusterCommand
{
    private static readonly (string Name, Func<ClusterServers, Flags, Task<bool>> Run)[] s_scenarios =
    [
        ("kills", Kills.RunAsync),
        ("equal", EqualRequests.RunAsync),
        ("outages", Outages.RunAsync),
        ("latency", LatencyBound.RunAsync),
        ("overhead", Overhead.RunAsync),
        ("servers", ServerSpeed.RunAsync),
    ];

    public static async Task<int> RunAsync(Flags flags)
    {
        string word = flags.Word ?? "all";
        var chosen = s_scenarios.Where(scenario => word == "all" || scenario.Name == word).ToArray();
        if (chosen.Length == 0)
        {
            throw new ArgumentException($"There is no scenario {word}: use all, {string.Join(", ", s_scenarios.Select(scenario => scenario.Name))}.");
        }

        if (!PostgresServer.IsInstalled || !RabbitServer.IsInstalled)
        {
            Console.Error.WriteLine($"{PostgresServer.Missing} {RabbitServer.Missing}");
            return 2;
        }

        await using ClusterServers servers = await ClusterServers.StartAsync();
        var isRight = true;
        foreach ((string name, Func<ClusterServers, Flags, Task<bool>> run) in chosen)
        {
            Console.WriteLine($"\n## {name}\n");
            bool holds = await run(servers, flags);
            Console.WriteLine(holds ? "\nas promised" : "\nVIOLATED");
            isRight &= holds;
        }

        return isRight ? 0 : 1;
    }
}
