using System.Collections.Concurrent;
using FastLLM.Caching;
using FastLLM.Costs;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Tables;
using FastLLM.Pipeline;
using FastLLM.Retries;

namespace FastLLM;

/// <summary>A run over a file: requests in, outcomes out, gone on with where an earlier run ended.</summary>
/// <remarks>
/// <para>The input is checked as a whole before the first send. The output is a log while the run goes on, one write per row, and is
/// put in input order when every row has its outcome. Rows that stand finished in it are not sent again; see <c>docs/files.md</c>.</para>
/// <para>An instance runs once. The manager is used and not disposed.</para>
/// </remarks>
public sealed partial class Job
{
    /// <summary>Stands for standard input, and for standard output.</summary>
    public const string Pipe = "-";

    private readonly RequestManager _manager;
    private readonly JobOptions _options;
    private readonly RowIndex _table = new();
    private readonly OutputRecord _record;
    private readonly OutputShape _shape;
    private InputReader? _piped;
    private StreamRun<LlmResponse>? _run;

    /// <summary>Prepares a run.</summary>
    /// <param name="manager">Sends.</param>
    /// <param name="options">What is read, written and kept.</param>
    /// <exception cref="ArgumentException">Input and output are the same file, or what is asked for does not fit together.</exception>
    public Job(RequestManager manager, JobOptions options)
    {
        ArgumentNullException.ThrowIfNull(manager);
        ArgumentNullException.ThrowIfNull(options);
        _shape = OutputShape.Of(options.Output, options.OutputFormat);
        if (options.Input != Pipe && options.Output != Pipe
            && (IsTouched(Target(options.Input), Target(options.Output)) || IsTouched(Target(options.Input), Target(_shape.Log))))
        {
            throw new ArgumentException("The input is the output, or a file that stands beside it (.tmp, .lock, .bak, .torn, .damaged, .spent), but an input is never written to. Give another output.", nameof(options));
        }

        if (manager.Options.Budget is not null && !options.IncludeMetadata)
        {
            throw new ArgumentException("With a budget, rows must say what they cost, which stands in the member \"fastllm\".", nameof(options));
        }

        CheckTemplate(options);
        CheckView(options);
        _manager = manager;
        _options = options;
        _refresh = new RefreshRule(manager.Options.RefreshFinishReasons);
        _record = new OutputRecord(options.IncludeMetadata, manager.Options.TimeProvider, () => _run?.Bottleneck ?? Bottleneck.None, withCosts: manager.Options.Prices is not null);
    }

    private bool InputIsPipe => _options.Input == Pipe;

    /// <summary>Checks an input without sending anything.</summary>
    /// <param name="options">The input and how it is read; the output is not looked at.</param>
    /// <param name="cancellationToken">Stops the check.</param>
    /// <exception cref="ArgumentException">The template is wrong.</exception>
    /// <exception cref="InvalidDataException">The input is nothing that can be read: a table without a template, a column that is not there, broken gzip.</exception>
    /// <exception cref="IOException">The input cannot be read.</exception>
    public static async Task<InputReport> CheckAsync(JobOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        CheckTemplate(options);
        var table = new RowIndex();
        InputCheck check = await CheckAsync(options, table, columns: null, cancellationToken).ConfigureAwait(false);
        return new InputReport
        {
            Rows = check.Rows,
            Distinct = table.Count - table.CountEqualKeys(),
            ErrorCount = check.ErrorCount,
            Errors = check.Errors,
            Warnings = check.Warnings(),
        };
    }

    /// <summary>Runs to the end, or as far as it goes.</summary>
    /// <param name="drain">Ends the run without loss: nothing more is sent, what is in flight is waited for and written.</param>
    /// <param name="cancellationToken">Ends the run at once; what is in flight may be paid without an answer.</param>
    /// <returns>How it ended, also where it was interrupted or stopped.</returns>
    /// <exception cref="BatchFormatException">The input has wrong lines; nothing was sent, and no output was made.</exception>
    /// <exception cref="InvalidDataException">The input as a whole cannot be read: a table without a template, a column that is not there, broken gzip; or there is a budget, and what rows may cost has no bound. Nothing was sent.</exception>
    /// <exception cref="IOException">The input cannot be read, or the output not be opened; nothing was sent.</exception>
    public async Task<JobResult> RunAsync(CancellationToken drain = default, CancellationToken cancellationToken = default)
    {
        if (!InputIsPipe)
        {
            await CheckBeforeSendingAsync(cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await OpenPipeAsync(drain, cancellationToken).ConfigureAwait(false);
        }

        if (_options.Output == Pipe)
        {
            using var pipe = new PipeSink(OpenStandardOutput(), inOrder: _options.Order == ResultOrder.Input);
            _sink = pipe;
            return await SendAndWriteAsync(drain, cancellationToken).ConfigureAwait(false);
        }

        using OutputFile output = OutputFile.Open(_shape.Log);
        PrepareOutput(output);
        using var spent = new CostJournal(output.Path);
        if (_options.Fresh)
        {
            spent.Forget();
        }

        _sink = new FileSink(output, _table);
        Resume(output);
        BeginMoney(spent);
        JobResult result = await SendAndWriteAsync(drain, cancellationToken).ConfigureAwait(false);
        if (!_shape.IsLog)
        {
            result = await EndViewAsync(result, cancellationToken).ConfigureAwait(false);
        }

        (result, bool isSorted) = SortIfDone(output, result);
        return EndMoney(spent, output, result, isSorted);
    }

    private (JobResult Result, bool IsSorted) SortIfDone(OutputFile output, JobResult result)
    {
        // Rows of a pipe that the limit cut off are not in the table: sorting would drop their records.
        bool allRowsKnown = !InputIsPipe || _options.Limit is null;
        if (result is not { Pending: 0, Stopped: null, Interrupted: false } || _options.Order != ResultOrder.Input || !allRowsKnown)
        {
            return (result, false);
        }

        try
        {
            output.Sort(_table.Count, _table.RecordOf);
            return (result, true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (result with { Stopped = StoppedBy(FailureKind.Output, $"{_shape.Log} holds every outcome, but cannot be put in order: {e.Message}", e) }, false);
        }
    }

    private static LlmRunException StoppedBy(FailureKind kind, string message, Exception fault)
    {
        var cause = new LlmException(kind, message, fault);
        return new LlmRunException($"{message} {FailureTable.Remedy(kind)}", cause, []);
    }

    private static string Target(string path) =>
        (File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName : null) ?? Path.GetFullPath(path);

    private static bool IsTouched(string input, string output) =>
        input.StartsWith(output, StringComparison.Ordinal) && input[output.Length..] is "" or ".tmp" or ".lock" or ".bak" or ".torn" or ".damaged" or ".spent";

    // The console's own stream swallows a closed pipe; this one says so, and the run stops.
    private static Stream OpenStandardOutput() => OperatingSystem.IsWindows()
        ? Console.OpenStandardOutput()
        : new FileStream(new Microsoft.Win32.SafeHandles.SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);

    private void Say(FormattableString notice) => _options.OnNotice?.Invoke(FormattableString.Invariant(notice));
}
