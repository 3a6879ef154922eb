using System.CommandLine;
using FastLLM.Cluster.Store;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm cluster</c>, which prepares the database of a cluster.</summary>
internal static class ClusterCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create(Func<string, string?> environment, TimeProvider time)
    {
        var command = new CliCommand("cluster", "Prepare a cluster: a PostgreSQL database, a RabbitMQ broker, and workers on any machine.");
        var options = new ClusterOptions(environment);
        var init = new CliCommand("init", "Create the tables of the cluster, or bring them up to date. Safe to repeat.");
        options.AddTo(init, withBroker: false);
        init.AddExample("Prepare a database:", "fastllm cluster init --store postgres://fastllm@localhost/fastllm");
        init.SetAction((result, cancellationToken) => ClusterOptions.GuardAsync(
            async () =>
            {
                await using ClusterStore store = options.OpenStore(result, time);
                int applied = await store.InitializeAsync(cancellationToken);
                string id = await new JobStore(store).ReadClusterIdAsync(cancellationToken);
                await result.InvocationConfiguration.Output.WriteLineAsync(applied == 0
                    ? $"The cluster {id} is up to date."
                    : $"The cluster {id} is ready. Start workers: fastllm worker");
                return ExitCode.Ok;
            },
            result.InvocationConfiguration.Error));
        command.Subcommands.Add(init);
        command.AddExample("Prepare a database:", "fastllm cluster init --store postgres://fastllm@localhost/fastllm");
        return command;
    }
}
