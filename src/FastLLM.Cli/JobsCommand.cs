using System.CommandLine;
using FastLLM.Cluster.Client;
using FastLLM.Cluster.Store;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm jobs</c> and <c>fastllm status</c>, which show what the jobs of a cluster do.</summary>
internal static class JobsCommand
{
    private const int MaxJobs = 1_000;

    /// <summary>Creates <c>fastllm jobs</c>.</summary>
    public static Command CreateList(Func<string, string?> environment, TimeProvider time)
    {
        var options = new ClusterOptions(environment);
        var json = CliOption.Flag("--json", "Print a JSON array.");
        var command = new CliCommand("jobs", "List the jobs of a cluster, the newest first.");
        options.AddTo(command, withBroker: false);
        command.Add("Display", json);
        command.AddExample("List the jobs:", "fastllm jobs");
        command.SetAction((result, cancellationToken) => options.RunAsync(
            result,
            time,
            async store =>
            {
                IReadOnlyList<ClusterJob> jobs =
                    await StoreFault.GuardAsync(() => new JobStore(store).ListAsync(MaxJobs, cancellationToken));
                await result.InvocationConfiguration.Output.WriteLineAsync(
                    result.GetValue(json) ? JobText.Json(jobs) : JobText.Table(jobs));
                return ExitCode.Ok;
            },
            cancellationToken));
        return command;
    }

    /// <summary>Creates <c>fastllm status</c>.</summary>
    public static Command CreateStatus(Func<string, string?> environment, TimeProvider time)
    {
        var options = new ClusterOptions(environment);
        Argument<string> job = JobArgument();
        var json = CliOption.Flag("--json", "Print a JSON object.");
        var command = new CliCommand("status", "Show a job of a cluster: rows, rate, bottleneck, cost and workers.");
        command.Arguments.Add(job);
        options.AddTo(command, withBroker: false);
        command.Add("Display", json);
        command.AddExample("Show a job:", "fastllm status questions-1f3a9c20");
        command.SetAction((result, cancellationToken) => options.RunAsync(
            result,
            time,
            async store =>
            {
                string id = result.GetValue(job)!;
                JobStatus status = await StoreFault.GuardAsync(() => JobStatus.ReadAsync(store, id, cancellationToken))
                    ?? throw NotFound(id);
                await result.InvocationConfiguration.Output.WriteLineAsync(
                    result.GetValue(json) ? JobText.Json(status) : JobText.Of(status));
                return ExitCode.Ok;
            },
            cancellationToken));
        return command;
    }

    /// <summary>Creates the argument that names a job.</summary>
    public static Argument<string> JobArgument() =>
        new("JOB") { Description = "ID of the job, as fastllm submit and fastllm jobs print it." };

    /// <summary>Finds a job.</summary>
    /// <exception cref="UsageException">It is not there.</exception>
    public static async Task<ClusterJob> FindAsync(ClusterStore store, string id, CancellationToken cancellationToken) =>
        await StoreFault.GuardAsync(() => new JobStore(store).FindAsync(id, cancellationToken)) ?? throw NotFound(id);

    private static UsageException NotFound(string id) =>
        new($"There is no job {TerminalText.Clean(id, 80)} in this cluster. To list the jobs: fastllm jobs");
}
