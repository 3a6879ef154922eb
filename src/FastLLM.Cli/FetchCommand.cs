using System.CommandLine;
using FastLLM.Cluster.Client;
using FastLLM.Cluster.Store;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm fetch</c>, which writes the output of a job of a cluster.</summary>
internal static class FetchCommand
{
    /// <summary>Creates the command.</summary>
    public static Command Create(Func<string, string?> environment, TimeProvider time)
    {
        var options = new ClusterOptions(environment);
        Argument<string> job = JobsCommand.JobArgument();
        var output = new Option<string>("--output", "-o")
        {
            HelpName = "FILE",
            Required = true,
            Description = "Output file, in the format of the OpenAI Batch API; - for standard output.",
        };
        var force = CliOption.Flag("--force", "Replace an existing file.");
        var command = new CliCommand(
            "fetch", "Write the output of a job of a cluster in input order. If rows are pending, write the others and exit with 3.");
        command.Arguments.Add(job);
        command.Add("Output", output, force);
        options.AddTo(command, withBroker: false);
        command.AddExample("Write the output of a job:", "fastllm fetch questions-1f3a9c20 -o answers.jsonl");
        command.SetAction((result, cancellationToken) => options.RunAsync(
            result,
            time,
            async store =>
            {
                ClusterJob found = await JobsCommand.FindAsync(store, result.GetValue(job)!, cancellationToken);
                return await FetchAsync(store, found, result.GetValue(output)!, result.GetValue(force), result, cancellationToken);
            },
            cancellationToken));
        return command;
    }

    private static async Task<int> FetchAsync(
        ClusterStore store, ClusterJob job, string path, bool force, ParseResult result, CancellationToken cancellationToken)
    {
        if (path == Job.Pipe)
        {
            StandardStreams.RequireOutput();
            await using Stream pipe = StandardStreams.OpenOutput();
            return await CopyAsync(store, job, pipe, result, cancellationToken);
        }

        if (!path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) && Path.HasExtension(path))
        {
            throw new UsageException(
                $"{TerminalText.Clean(path)}: fetch writes .jsonl. For a table, use: fastllm run INPUT --cluster -o "
                + TerminalText.Clean(path));
        }

        if (File.Exists(path) && !force)
        {
            throw new UsageException($"{TerminalText.Clean(path)} exists. Name another file, or replace it with --force.");
        }

        string unfinished = path + ".tmp";
        int exit;
        try
        {
            await using (FileStream file = File.Create(unfinished))
            {
                exit = await CopyAsync(store, job, file, result, cancellationToken);
                file.Flush(flushToDisk: true);
            }

            File.Move(unfinished, path, overwrite: true);
        }
        finally
        {
            File.Delete(unfinished);
        }

        return exit;
    }

    private static async Task<int> CopyAsync(
        ClusterStore store, ClusterJob job, Stream output, ParseResult result, CancellationToken cancellationToken)
    {
        int missing = await StoreFault.GuardAsync(() => new OutputReader(new ChunkStore(store)).CopyAsync(job, output, cancellationToken));
        if (missing == 0)
        {
            return job.Counts.Failed > 0 ? ExitCode.SomeFailed : ExitCode.Ok;
        }

        await result.InvocationConfiguration.Error.WriteLineAsync(FormattableString.Invariant(
            $"The output is partial: {missing:N0} of {job.Chunks:N0} chunks are not done. See: fastllm status {job.Id}"));
        return ExitCode.Stopped;
    }
}
