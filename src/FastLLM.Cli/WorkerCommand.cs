using System.CommandLine;
using System.Security.Cryptography;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Limits;
using FastLLM.Cluster.Store;
using FastLLM.Cluster.Workers;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm worker</c>, which processes rows of the jobs of a cluster.</summary>
internal static class WorkerCommand
{
    private const int MaxPrefetch = 1_000;

    /// <summary>Creates the command.</summary>
    public static Command Create(Func<string, string?> environment, TimeProvider time)
    {
        var options = new ClusterOptions(environment);
        var keys = new Option<string[]>("--api-key-env")
        {
            HelpName = "NAME",
            Description = "Variable whose key jobs may send to a host that it is not known to belong to. May be repeated.",
        };
        var chunks = CliOption.WithDefault("--chunks", "N", 4, "Chunks of up to 500 rows that are in work at the same time.");
        var quiet = CliOption.Flag("--quiet", "Write only errors to standard error.", "-q");
        var command = new CliCommand(
            "worker", "Process rows of the jobs of a cluster, with the API keys of this machine, until it is stopped (SIGTERM).");
        options.AddTo(command, withBroker: true);
        command.Add("Endpoint", keys);
        command.Add("Limits", chunks);
        command.Add("Display", quiet);
        command.AddExample("Start a worker:", "fastllm worker");
        command.SetAction((result, _) =>
        {
            TextWriter errors = result.InvocationConfiguration.Error;
            string[] allowed = result.GetValue(keys) ?? [];
            int prefetch = result.GetValue(chunks) is >= 1 and <= MaxPrefetch and var count
                ? count
                : throw new UsageException("--chunks must be from 1 to 1,000.");
            TextWriter messages = result.GetValue(quiet) ? TextWriter.Null : errors;
            return ClusterOptions.GuardAsync(() => RunAsync(options, result, allowed, prefetch, messages, environment, time), errors);
        });
        return command;
    }

    private static async Task<int> RunAsync(
        ClusterOptions options, ParseResult result, string[] allowed, int prefetch, TextWriter messages,
        Func<string, string?> environment, TimeProvider time)
    {
        using var signals = new Signals(time);
        BrokerAddress broker = options.ReadBroker(result);
        await using ClusterStore store = options.OpenStore(result, time);
        await store.CheckAsync(signals.Drain);
        string clusterId = await new JobStore(store).ReadClusterIdAsync(signals.Drain);
        string id = $"{Environment.MachineName}-{RandomNumberGenerator.GetHexString(6, lowercase: true)}";
        TextWriter writer = TextWriter.Synchronized(messages);
        void Say(string text) => writer.WriteLine(TerminalText.Clean(text, 1000));

        // A worker has nothing to do without the database, and a job must not stop because it was away.
        await using var cache = new PostgresCache(
            store, new PostgresCacheOptions { OnNotice = Say, TimeProvider = time, MaxOutage = TimeSpan.MaxValue });
        await using var limits = new SharedLimits(new PostgresLimits(store), time, Say);
        using var worker = new Worker(
            new WorkerOptions
            {
                Id = id,
                Store = store,
                Broker = broker,
                Connect = spec => ClusterEndpoint.Connect(spec, allowed, environment),
                Cache = cache,
                Limits = limits,
                Prefetch = prefetch,
                Say = Say,
            },
            clusterId);
        writer.WriteLine($"Worker {id} of the cluster {clusterId} is ready.");
        await worker.RunAsync(signals.Drain, signals.Abort);
        return ExitCode.Ok;
    }
}
