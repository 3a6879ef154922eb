using System.CommandLine;
using FastLLM.Cluster.Budgets;
using FastLLM.Cluster.Client;
using FastLLM.Cluster.Store;
using FastLLM.Jobs.Planning;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm submit</c>, which hands the rows of a file to a cluster.</summary>
internal sealed class SubmitCommand
{
    private readonly Func<string, string?> _environment;
    private readonly TimeProvider _time;
    private readonly InputOptions _input = new();
    private readonly Option<bool> _skipInvalid = CliOption.Flag(
        "--skip-invalid", "Record invalid rows as failed and process the others, instead of rejecting the input.");

    private readonly Option<bool> _noMetadata = CliOption.Flag("--no-fastllm-member", "Omit the \"fastllm\" member from the output.");
    private readonly EndpointOptions _endpoint = new();
    private readonly AnswerOptions _answers = new();
    private readonly LimitOptions _limits = new();
    private readonly TimeOptions _times = new();
    private readonly CostOptions _cost = new();
    private readonly ClusterOptions _cluster;

    private SubmitCommand(Func<string, string?> environment, TimeProvider time)
    {
        _environment = environment;
        _time = time;
        _cluster = new ClusterOptions(environment);
    }

    /// <summary>Creates the command.</summary>
    public static Command Create(Func<string, string?> environment, TimeProvider time)
    {
        var submit = new SubmitCommand(environment, time);
        var command = new CliCommand(
            "submit", "Hand the rows of a file to the workers of a cluster, and print the ID of the job. Safe to repeat.");
        submit._input.AddTo(command);
        command.Add("Input", submit._skipInvalid);
        submit._endpoint.AddTo(command);
        submit._answers.AddTo(command);
        command.Add("Output", submit._noMetadata);
        submit._cluster.AddTo(command, withBroker: true);
        submit._limits.AddTo(command);
        submit._times.AddTo(command);
        submit._cost.AddAmountsTo(command);
        command.AddExample("Submit a file:", "fastllm submit samples/questions.jsonl --base-url http://localhost:8000/v1");
        command.SetAction((result, _) => ClusterOptions.GuardAsync(() => submit.RunAsync(result), result.InvocationConfiguration.Error));
        return command;
    }

    private async Task<int> RunAsync(ParseResult result)
    {
        TextWriter errors = result.InvocationConfiguration.Error;
        JobOptions job = _input.Read(result);
        if (job.Input == Job.Pipe)
        {
            throw new UsageException("A cluster needs a file: the rows of standard input cannot be read twice.");
        }

        job.SkipInvalid = result.GetValue(_skipInvalid);
        job.IncludeMetadata = !result.GetValue(_noMetadata);
        void Say(string text) => errors.WriteLine(TerminalText.Clean(text, 1000));
        job.OnNotice = Say;
        var options = new RequestManagerOptions
        {
            MaxThrottleWait = RunCommand.MaxThrottleWait,
            ShowProgress = false,
            TimeProvider = _time,
        };
        _limits.Apply(result, options);
        _times.Apply(result, options);
        _cost.Apply(result, options);
        EndpointChoice choice = _endpoint.Read(result);
        Endpoint endpoint = ClusterEndpoint.Resolve(choice, _environment);
        job.Answers = _answers.Read(result, endpoint.Preset?.KnowsSchemas ?? true);
        job.OnModelMissing = rows => ModelCheck.OnMissing(job.Input, rows, endpoint, Say);
        foreach (string notice in endpoint.Notices)
        {
            await errors.WriteLineAsync(TerminalText.Clean(notice));
        }

        using var signals = new Signals(_time);
        await using ClusterSubmit cluster = await ClusterSubmit.OpenAsync(
            _cluster.OpenStore(result, _time), _cluster.ReadBroker(result), endpoint, choice.AllowHttp, job, options,
            _cost.PriceFile(result), signals.Drain);
        await using var manager = new RequestManager(endpoint.CreateProvider(), options);
        JobSetup setup = await RunCommand.Checked(() => ReadAsync(manager, job, signals.Drain));
        return await SubmitAsync(cluster, setup, result.InvocationConfiguration.Output, errors, signals.Drain);
    }

    private static async Task<JobSetup> ReadAsync(RequestManager manager, JobOptions job, CancellationToken cancellationToken)
    {
        var setup = new JobSetup(manager, job);
        await setup.ReadInputAsync(cancellationToken);
        setup.SayForm();
        return setup;
    }

    private static async Task<int> SubmitAsync(
        ClusterSubmit cluster, JobSetup setup, TextWriter output, TextWriter errors, CancellationToken cancellationToken)
    {
        string id = JobIdentity.Of(setup.Options.Input, setup.Index.Rows, cluster.Spec);
        Submission submission = cluster.NewSubmission(text => errors.WriteLine(TerminalText.Clean(text)));
        IAsyncEnumerable<PlannedRow> all = setup.Index.ReadPendingAsync(setup.NewResumeState(), reusesRows: true, cancellationToken);
        long? rows = await StoreFault.GuardAsync(() => submission.SubmitAsync(
            id, Path.GetFileName(setup.Options.Input), cluster.Spec, all, cancellationToken));
        if (rows == 0)
        {
            await errors.WriteLineAsync($"{TerminalText.Clean(setup.Options.Input)} has no rows; nothing was submitted.");
            return ExitCode.Usage;
        }

        if (rows is null && cluster.Spec.Sending.Budget is { } budget)
        {
            await StoreFault.GuardAsync(() => new BudgetStore(cluster.Store).SetAsync(id, budget, earlier: 0, cancellationToken));
        }

        await errors.WriteLineAsync(rows is { } count
            ? FormattableString.Invariant($"{count:N0} rows were submitted. See: fastllm status {id}")
            : $"The job is there already. See: fastllm status {id}");
        await output.WriteLineAsync(id);
        return ExitCode.Ok;
    }
}
