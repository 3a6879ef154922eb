using System.CommandLine;
using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Budgets;
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
        Option<string?> maxCost = CliOption.Text("--max-cost", "USD", "New budget of the job, with what it has cost already.");
        var command = new CliCommand(name, description);
        command.Arguments.Add(job);
        options.AddTo(command, withBroker: publishes);
        if (publishes)
        {
            command.Add("Cost", maxCost);
        }

        command.AddExample($"{char.ToUpperInvariant(name[0])}{name[1..]} a job:", $"fastllm {name} questions-1f3a9c20");
        if (publishes)
        {
            command.AddExample("Continue a job whose budget is used up:", $"fastllm {name} questions-1f3a9c20 --max-cost 50");
        }

        command.SetAction((result, cancellationToken) =>
        {
            BrokerAddress? broker = publishes ? options.ReadBroker(result) : null;
            return options.RunAsync(
                result,
                time,
                async store =>
                {
                    string id = result.GetValue(job)!;
                    ClusterJob found = await JobsCommand.FindAsync(store, id, cancellationToken);
                    if (publishes && result.GetValue(maxCost) is { } amount)
                    {
                        decimal budget = CostText.Parse(maxCost.Name, amount);
                        await StoreFault.GuardAsync(() => new BudgetStore(store).SetAsync(id, budget, earlier: 0, cancellationToken));
                    }

                    TextWriter errors = result.InvocationConfiguration.Error;
                    bool isChanged = await ChangeAsync(store, id, state, from, broker, errors, cancellationToken);
                    await errors.WriteLineAsync(isChanged || found.State == state
                        ? $"{id} is {words}."
                        : $"{id} is {found.State}, so it cannot be {words}.");
                    return isChanged || found.State == state ? ExitCode.Ok : ExitCode.Usage;
                },
                cancellationToken);
        });
        return command;
    }

    private static async Task<bool> ChangeAsync(
        ClusterStore store, string id, string state, string[] from, BrokerAddress? broker, TextWriter errors,
        CancellationToken cancellationToken)
    {
        var jobs = new JobStore(store);
        bool isChanged = await StoreFault.GuardAsync(() => jobs.ChangeStateAsync(id, state, from, reason: null, cancellationToken));
        if (isChanged && broker is not null)
        {
            string clusterId = await StoreFault.GuardAsync(() => jobs.ReadClusterIdAsync(cancellationToken));
            var submission = new Submission(store, broker, clusterId, text => errors.WriteLine(TerminalText.Clean(text)));
            await submission.PublishAsync(id, cancellationToken);
        }

        return isChanged;
    }
}
