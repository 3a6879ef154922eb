using System.CommandLine;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Client;
using FastLLM.Cluster.Store;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm pause</c>, <c>resume</c> and <c>cancel</c>, which change the state of a job of a cluster.</summary>
internal static class JobStateCommands
{
    /// <summary>Creates the commands.</summary>
    public static IEnumerable<Command> Create(Func<string, string?> environment, TimeProvider time)
    {
        yield return Create("pause", "Pause a job of a cluster: no more chunks are taken; those in work are finished.",
            ClusterJob.Paused, [ClusterJob.Running], "paused", environment, time);
        yield return Create("resume", "Resume a job of a cluster that was paused or has stopped.",
            ClusterJob.Running, [ClusterJob.Paused, ClusterJob.Stopped], "running", environment, time);
        yield return Create("cancel", "Cancel a job of a cluster. What is in flight is finished; outcomes so far can be fetched.",
            ClusterJob.Canceled, [ClusterJob.Running, ClusterJob.Paused, ClusterJob.Stopped], "canceled", environment, time);
    }

    private static CliCommand Create(
        string name, string description, string state, string[] from, string words, Func<string, string?> environment, TimeProvider time)
    {
        var options = new ClusterOptions(environment);
        Argument<string> job = JobsCommand.JobArgument();
        bool publishes = state == ClusterJob.Running;
        var command = new CliCommand(name, description);
        command.Arguments.Add(job);
        options.AddTo(command, withBroker: publishes);
        command.AddExample($"{char.ToUpperInvariant(name[0])}{name[1..]} a job:", $"fastllm {name} questions-1f3a9c20");
        command.SetAction((result, cancellationToken) => ClusterOptions.GuardAsync(
            async () =>
            {
                TextWriter errors = result.InvocationConfiguration.Error;
                BrokerAddress? broker = publishes ? options.ReadBroker(result) : null;
                await using ClusterStore store = options.OpenStore(result, time);
                await store.CheckAsync(cancellationToken);
                string id = result.GetValue(job)!;
                var jobs = new JobStore(store);
                ClusterJob found = await StoreFault.GuardAsync(() => jobs.FindAsync(id, cancellationToken))
                    ?? throw JobsCommand.NotFound(id);
                bool isChanged = await StoreFault.GuardAsync(() => jobs.ChangeStateAsync(id, state, from, reason: null, cancellationToken));
                if (isChanged && broker is not null)
                {
                    string clusterId = await StoreFault.GuardAsync(() => jobs.ReadClusterIdAsync(cancellationToken));
                    var submission = new Submission(store, broker, clusterId, text => errors.WriteLine(TerminalText.Clean(text)));
                    await submission.PublishAsync(id, cancellationToken);
                }

                await errors.WriteLineAsync(isChanged || found.State == state
                    ? $"{id} is {words}."
                    : $"{id} is {found.State}, so it cannot be {words}.");
                return isChanged || found.State == state ? ExitCode.Ok : ExitCode.Usage;
            },
            result.InvocationConfiguration.Error));
        return command;
    }
}
