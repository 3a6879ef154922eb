using FastLLM.Jobs.Input;
using FastLLM.Jobs.Planning;
using FastLLM.Jobs.Running;

namespace FastLLM;

/// <summary>Processes the rows of a file: requests in, outcomes out, over as many runs as it takes.</summary>
/// <remarks>
/// <para>The input is checked as a whole before the first send. During a run the output is a log, with one write per row; when every row
/// has an
/// outcome, the output is put in input order. The next run resumes: finished rows are not sent again. See <c>docs/files.md</c>.</para>
/// <para>The manager is used, not disposed. Several jobs may run on one manager at once.</para>
/// </remarks>
public static class Job
{
    /// <summary>Stands for standard input, and for standard output.</summary>
    public const string Pipe = "-";

    /// <summary>Checks an input without sending anything.</summary>
    /// <param name="options">The input and its format; the output is ignored.</param>
    /// <param name="cancellationToken">Cancels the check.</param>
    /// <exception cref="ArgumentException">The template is wrong.</exception>
    /// <exception cref="InvalidDataException">The input as a whole cannot be read: a table without a template, a missing column, broken
    /// gzip.</exception>
    /// <exception cref="IOException">The input cannot be read.</exception>
    public static async Task<InputReport> CheckAsync(JobOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ValidateTemplate();
        var check = new InputCheck();
        var index = new InputIndex(new JobInput(options), columns: null);
        await index.ReadAsync(check, see: null, cancellationToken).ConfigureAwait(false);
        (long distinct, long keyed) = index.Rows.CountKeys(index.Rows.Count);
        return new InputReport
        {
            Rows = check.Rows,
            Distinct = index.Rows.Count - keyed + distinct,
            ErrorCount = check.ErrorCount,
            Errors = check.Errors,
            Warnings = check.Warnings(),
        };
    }

    /// <summary>Reads input, output and cache, and plans what a run would send and what that may cost. Sends and writes nothing.</summary>
    /// <param name="manager">The manager that would send.</param>
    /// <param name="options">The job.</param>
    /// <param name="cancellationToken">Cancels the planning.</param>
    /// <returns>The plan, which can be run once.</returns>
    /// <exception cref="ArgumentException">Input and output are the same file, or the options do not fit together.</exception>
    /// <exception cref="BatchFormatException">The input has invalid lines, and they are not to be skipped.</exception>
    /// <exception cref="InvalidDataException">The input as a whole cannot be read.</exception>
    /// <exception cref="IOException">The input or the output cannot be read, or the output is not the output of a run.</exception>
    public static Task<JobPlan> PlanAsync(RequestManager manager, JobOptions options, CancellationToken cancellationToken = default) =>
        PlanAsync(new JobSetup(manager, options), cancellationToken);

    /// <summary>Runs a job to its end, or as far as it gets.</summary>
    /// <param name="manager">The manager that sends.</param>
    /// <param name="options">The job.</param>
    /// <param name="drain">Ends the run without loss: nothing more is sent; what is in flight is awaited and written.</param>
    /// <param name="cancellationToken">Ends the run at once; what is in flight may be paid without an answer.</param>
    /// <returns>How the run ended, also if it was interrupted or stopped.</returns>
    /// <exception cref="ArgumentException">Input and output are the same file, or the options do not fit together.</exception>
    /// <exception cref="BatchFormatException">The input has invalid lines. Nothing was sent, and no output was made.</exception>
    /// <exception cref="InvalidDataException">The input as a whole cannot be read (a table without a template, a missing column, broken
    /// gzip), or there is a budget and the cost of a row has no bound. Nothing was sent.</exception>
    /// <exception cref="IOException">The input cannot be read, or the output cannot be opened. Nothing was sent.</exception>
    /// <exception cref="OperationCanceledException">The run was to end while it still read the input. Nothing was sent.</exception>
    public static Task<JobResult> RunAsync(
        RequestManager manager, JobOptions options, CancellationToken drain = default, CancellationToken cancellationToken = default) =>
        RunAsync(new JobSetup(manager, options), drain, cancellationToken);

    /// <summary>Runs a plan to its end, or as far as it gets.</summary>
    /// <param name="plan">The plan. It runs once.</param>
    /// <param name="drain">Ends the run without loss: nothing more is sent; what is in flight is awaited and written.</param>
    /// <param name="cancellationToken">Ends the run at once; what is in flight may be paid without an answer.</param>
    /// <returns>How the run ended, also if it was interrupted or stopped.</returns>
    /// <exception cref="InvalidOperationException">The plan has already run, or its input was a pipe.</exception>
    /// <exception cref="InvalidDataException">There is a budget, and the cost of a row has no bound. Nothing was sent.</exception>
    /// <exception cref="IOException">The output cannot be opened, or has changed since it was planned. Nothing was sent.</exception>
    public static Task<JobResult> RunAsync(JobPlan plan, CancellationToken drain = default, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return new JobRun(plan.Start()).RunAsync(plan, drain, cancellationToken);
    }

    /// <summary>Runs a job whose input a plan has read and checked. Unlike the run of the plan, it may have another manager and other
    /// callbacks, and may be one of several.</summary>
    internal static Task<JobResult> RunAsync(
        JobPlan plan, RequestManager manager, JobOptions options, CancellationToken drain, CancellationToken cancellationToken) =>
        new JobRun(plan.Next(manager, options)).RunAsync(planned: null, drain, cancellationToken);

    /// <summary>Makes the output from what the log of the job holds so far, also while a run of the job writes to the log. Sends
    /// nothing.</summary>
    /// <param name="manager">The manager that would send.</param>
    /// <param name="options">The job.</param>
    /// <param name="cancellationToken">Cancels the writing; an earlier output stays as it is.</param>
    /// <returns>The counts of rows, and whether the output is partial. An output that is its own log is only counted.</returns>
    /// <exception cref="ArgumentException">Input or output are standard streams or the same file, or the options do not fit
    /// together.</exception>
    /// <exception cref="BatchFormatException">The input has invalid lines, and they are not to be skipped.</exception>
    /// <exception cref="InvalidDataException">The input as a whole cannot be read.</exception>
    /// <exception cref="IOException">There is no log, or the output cannot be written.</exception>
    public static Task<JobResult> WritePartialAsync(
        RequestManager manager, JobOptions options, CancellationToken cancellationToken = default)
    {
        var setup = new JobSetup(manager, options);
        return setup.IsPipe || options.Output == Pipe
            ? throw new ArgumentException("A partial output needs the files of the input and of the output, not standard streams.")
            : new PartialOutput(setup).WriteAsync(cancellationToken);
    }

    /// <summary>Gets the output of a job that names none, beside the input: the same kind of table for a table, otherwise OpenAI's batch
    /// output lines in a file that ends with <c>.out.jsonl</c>.</summary>
    /// <remarks>Tables had their answers in OpenAI's lines, too, once. If such a file is there and no log of a table, it becomes the log,
    /// so that nothing is sent again.</remarks>
    /// <param name="options">The job. <see cref="JobOptions.Output"/> is ignored and set, and <see cref="JobOptions.Log"/> may be.</param>
    public static void SetDefaultOutput(JobOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Output = InputSource.DefaultOutput(options.Input, options);
        string earlier = InputSource.EarlierOutput(options.Input);
        if (!options.Shape.IsLog && !options.Fresh && !File.Exists(options.Shape.Log) && File.Exists(earlier))
        {
            options.Log = earlier;
        }
    }

    private static async Task<JobPlan> PlanAsync(JobSetup setup, CancellationToken cancellationToken)
    {
        if (!setup.IsPipe)
        {
            await setup.ReadInputAsync(cancellationToken).ConfigureAwait(false);
        }

        return await new JobPlanner(setup).PlanAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task<JobResult> RunAsync(JobSetup setup, CancellationToken drain, CancellationToken cancellationToken)
    {
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(drain, cancellationToken))
        {
            await (setup.IsPipe ? setup.Input.OpenAsync(either.Token) : setup.ReadInputAsync(either.Token)).ConfigureAwait(false);
        }

        return await new JobRun(setup).RunAsync(planned: null, drain, cancellationToken).ConfigureAwait(false);
    }
}
