using System.Globalization;
using FastLLM.Caching;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Running;
using FastLLM.Jobs.Tables;

namespace FastLLM.Jobs.Planning;

/// <summary>Holds what planning a job and running it share: the checked options and the index of the input.</summary>
internal sealed class JobSetup
{
    private const int ShownUnbounded = 3;

    private readonly List<string> _unbounded;
    private long _unboundedCount;
    private bool _saidForm;

    /// <summary>Checks the options and keeps a copy of them.</summary>
    /// <exception cref="ArgumentException">The options do not fit together.</exception>
    public JobSetup(RequestManager manager, JobOptions options)
    {
        ArgumentNullException.ThrowIfNull(manager);
        ArgumentNullException.ThrowIfNull(options);
        _unbounded = [];
        Manager = manager;
        Options = options.ValidatedCopy(hasBudget: manager.Options.Budget is not null);
        Shape = Options.Shape;
        Columns = new ColumnNames(Shape.Kind);
        Input = new JobInput(Options);
        Index = new InputIndex(Input, Shape.IsLog ? null : Columns);
    }

    private JobSetup(JobSetup read, RequestManager manager, JobOptions options)
    {
        Manager = manager;
        Options = options.ValidatedCopy(hasBudget: manager.Options.Budget is not null);
        Shape = Options.Shape;
        (Columns, Input, Index, Equal) = (read.Columns, read.Input, read.Index, read.Equal);
        (_unbounded, _unboundedCount, _saidForm) = (read._unbounded, read._unboundedCount, read._saidForm);
    }

    public RequestManager Manager { get; }

    public JobOptions Options { get; }

    public OutputShape Shape { get; }

    public JobInput Input { get; }

    public InputIndex Index { get; }

    public ColumnNames Columns { get; }

    public bool IsPipe => Input.IsPipe;

    /// <summary>Gets a value indicating whether a job that is done puts its output in input order.</summary>
    /// <remarks>Rows of a pipe beyond the limit are unknown: sorting would drop their records.</remarks>
    public bool IsSorted => Options.Order == ResultOrder.Input && !(IsPipe && Options.Limit is not null);

    /// <summary>Gets the number of rows within the limit whose request an earlier row has too.</summary>
    public long Equal { get; private set; }

    /// <summary>Reads and checks a file, and indexes its rows.</summary>
    /// <exception cref="BatchFormatException">The input has invalid lines, and they are not to be skipped.</exception>
    /// <exception cref="InvalidDataException">The input as a whole cannot be read.</exception>
    public async Task ReadInputAsync(CancellationToken cancellationToken)
    {
        var check = new InputCheck();
        await Index.ReadAsync(check, Manager.Options.Budget is null ? null : FindBound, cancellationToken).ConfigureAwait(false);
        if (check.ErrorCount > 0 && !Options.SkipInvalid)
        {
            throw new BatchFormatException(check.Errors, check.ErrorCount, check.Alike);
        }

        if (Input.TemplateNote is { } note)
        {
            Say($"{Input.Name}: {SingleLine.Of(note)}");
        }

        if (check.WithoutModel > 0)
        {
            Options.OnModelMissing?.Invoke(check.WithoutModel);
        }

        if (Shape.Kind == OutputKind.Workbook && Index.Count > WorkbookWriter.MaxRows)
        {
            throw new InvalidDataException(FormattableString.Invariant(
                $"{Options.Input} has {Index.Count:N0} rows, but a sheet of an Excel workbook has at most {WorkbookWriter.MaxRows:N0}. ")
                + "Write .csv, .parquet or .jsonl instead.");
        }

        (long distinct, long keyed) = Index.Rows.CountKeys((int)Index.Count, Index.Answers.Expect);
        Equal = keyed - distinct;
    }

    /// <summary>Returns the setup of a run over the input that this one has read and checked, which is not read and checked
    /// again.</summary>
    public JobSetup Next(RequestManager manager, JobOptions options) => new(this, manager, options);

    /// <summary>Gets or sets the number of the refresh under way, which new records bear; 0 for none.</summary>
    public long Refresh { get; set; }

    /// <summary>Gets a value indicating whether rows that have an outcome may be sent again.</summary>
    public bool SendsAgain => Options.RetryFailed || !NewRefreshRule().IsEmpty;

    /// <summary>Creates the state of the records that earlier runs left. Reads nothing.</summary>
    /// <param name="refreshedSince">The number of the refresh that the run continues; <see langword="null"/> for none.</param>
    /// <param name="keepsAll">Whether every record is kept, also one that a run would replace.</param>
    public ResumeState NewResumeState(long? refreshedSince = null, bool keepsAll = false) =>
        new(Index, Options.RetryFailed, NewRefreshRule(), keepsSimulated: Options.IsSimulated)
        {
            RefreshedSince = refreshedSince ?? long.MaxValue,
            KeepsAll = keepsAll,
            SettledRows = Options.SettledRows,
            Unstated = new UnstatedCosts(hasBudget: Manager.Options.Budget is not null),
        };

    /// <summary>Reads which refreshes of an output are not done.</summary>
    /// <exception cref="IOException">They cannot be read.</exception>
    public RefreshJournal ReadRefreshes(string log)
    {
        var refreshes = new RefreshJournal(log, NewRefreshRule());
        refreshes.Read();
        if (refreshes.Continued is { } start)
        {
            Manager.Answers?.ContinueRefresh(start.At);
            string began = string.Create(CultureInfo.InvariantCulture, $"{start.At.UtcDateTime:yyyy-MM-dd HH:mm} UTC");
            Say($"The refresh of {began} is not done and is continued. To begin a new one: delete {Shape.Log}{RefreshJournal.Suffix}.");
        }

        return refreshes;
    }

    /// <summary>Creates what processes the rows.</summary>
    public IRowProcessor NewProcessor(ResumeState resume, RowSink sink, CostAccount costs) =>
        Options.NewProcessor is { } create ? create(this, resume, sink, costs) : new RowProcessor(this, resume, sink, costs);

    /// <summary>Creates the export of the output from its log.</summary>
    public TableExport NewExport()
    {
        var layout = new TableLayout(Columns, withId: Options.Template is null || Options.Samples > 1, Options.Answers);
        return new TableExport(Shape, layout, Index, Input.Form, Options.GuardFormulas);
    }

    /// <summary>Creates the writer of records.</summary>
    public OutputRecord NewRecord(Func<Bottleneck>? limitedBy) =>
        new(Options.IncludeMetadata, Manager.Options.TimeProvider, limitedBy, Manager.Options.Prices is not null, Options.IsSimulated, Refresh);

    /// <summary>Refuses an input with rows whose cost has no bound, if there is a budget.</summary>
    /// <exception cref="InvalidDataException">There are such rows.</exception>
    public void RefuseUnbounded()
    {
        if (_unboundedCount > 0)
        {
            CultureInfo culture = CultureInfo.InvariantCulture;
            long left = _unboundedCount - _unbounded.Count;
            string rows = string.Create(culture, $"{_unboundedCount:N0} rows of {Input.Name}");
            string[] more = left > 0 ? [string.Create(culture, $"… and {left:N0} more")] : [];
            throw new InvalidDataException(string.Join(
                Environment.NewLine, [$"{rows} cannot be sent under a budget; nothing was sent.", .. _unbounded, .. more]));
        }
    }

    /// <summary>Refuses an output with rows that are not in the random sample.</summary>
    /// <exception cref="IOException">There are such rows.</exception>
    public void RefuseOtherSample(ResumeState resume)
    {
        if (Options.RandomRows is not null && resume.Foreign > 0)
        {
            throw new IOException(
                $"{Shape.Log} has rows that are not in the sample; nothing was sent. Name another output (-o), or process all rows.");
        }
    }

    /// <summary>Reports, once, what the user must know about the form of the answers before the first send.</summary>
    public void SayForm()
    {
        if (Interlocked.Exchange(ref _saidForm, true) || Options.Answers is not { } form)
        {
            return;
        }

        if (Options.Template is null)
        {
            Say($"The rows are requests and are sent as they are: answers are checked, but labels, fields or schema are not sent.");
        }
        else if (form is { IsInPrompt: false, Rules.Notice: { } notice })
        {
            Say($"{notice}");
        }
    }

    /// <summary>Reports a message of one line.</summary>
    public void Say(FormattableString notice) => Options.OnNotice?.Invoke(FormattableString.Invariant(notice));

    /// <summary>Reports a message about paid answers, of one line.</summary>
    public void Warn(FormattableString warning) => Options.Warn(FormattableString.Invariant(warning));

    private RefreshRule NewRefreshRule() => new(Manager.Options.RefreshFinishReasons);

    private void FindBound(JobRow row)
    {
        if (row is { IsWithinLimit: true, Request: { } request } && Manager.Costs.Bound(request, out _) is { } why
            && _unboundedCount++ < ShownUnbounded)
        {
            _unbounded.Add(FormattableString.Invariant($"line {row.Source.Line}: {SingleLine.Of(why.Message)}"));
        }
    }
}
