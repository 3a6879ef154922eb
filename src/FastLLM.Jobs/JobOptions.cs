using FastLLM.Jobs.Output;
using FastLLM.Jobs.Running;
using FastLLM.Jobs.Tables;

namespace FastLLM;

/// <summary>Configures a <see cref="Job"/>.</summary>
/// <remarks>Read when a job is planned or run; later changes have no effect.</remarks>
public sealed class JobOptions
{
    /// <summary>Gets or sets the input: the path of a file, or <c>-</c> for standard input, which is read once, while its rows are
    /// sent.</summary>
    public required string Input { get; set; }

    /// <summary>Gets or sets the output: the path of a file, or <c>-</c> for standard output.</summary>
    public required string Output { get; set; }

    /// <summary>Gets or sets the order of the output's rows when the job is done.</summary>
    /// <value>The default is the order of the input. During a run, the output is a log in the order of completion.</value>
    public ResultOrder Order { get; set; } = ResultOrder.Input;

    /// <summary>Gets or sets the format of the input.</summary>
    public InputFormat InputFormat { get; set; } = InputFormat.Auto;

    /// <summary>Gets or sets the template that makes requests of plain rows; <see langword="null"/> if the input's rows are
    /// requests.</summary>
    public RowTemplate? Template { get; set; }

    /// <summary>Gets or sets what the answers must look like; <see langword="null"/> for any answer.</summary>
    /// <value>With a form, answers are checked, one that does not fit is corrected once, and the members of the answers are columns of a
    /// table.</value>
    public AnswerForm? Answers { get; set; }

    /// <summary>Gets or sets the format of the output.</summary>
    /// <value>By default the output's name decides: a table if it ends with <c>.csv</c>, <c>.tsv</c>, <c>.json</c>, <c>.xlsx</c> or
    /// <c>.parquet</c>, OpenAI's batch output lines if it ends with <c>.jsonl</c> or has no ending.</value>
    /// <remarks>If the output is not OpenAI's lines in plain text, those are written to a log beside it, named like the output with
    /// <c>.log.jsonl</c> appended. Runs resume from the log; the output is made from it at the end of each run. Rows without an outcome
    /// have empty cells for the answer until a later run completes them.</remarks>
    public OutputFormat OutputFormat { get; set; } = OutputFormat.Auto;

    /// <summary>Gets or sets the log of an output that is made from one.</summary>
    /// <value><see langword="null"/> by default: the name of the output with <c>.log.jsonl</c> appended.</value>
    public string? Log { get; set; }

    /// <summary>Gets or sets the sheet to read if the input is an Excel workbook.</summary>
    /// <value><see langword="null"/> by default: the first visible sheet.</value>
    public string? Sheet { get; set; }

    /// <summary>Gets or sets a value indicating whether, in CSV and TSV, an apostrophe precedes answers that a spreadsheet would run as
    /// formulas. The columns of the input are never changed.</summary>
    /// <value>The default is <see langword="true"/>.</value>
    public bool GuardFormulas { get; set; } = true;

    /// <summary>Gets or sets the model of rows that name none.</summary>
    public string? Model { get; set; }

    /// <summary>Gets or sets the number of input rows to process; <see langword="null"/> for all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public long? Limit
    {
        get;
        set
        {
            if (value is { } limit)
            {
                ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1, nameof(Limit));
            }

            field = value;
        }
    }

    /// <summary>Gets or sets the number of lines of a file to process, chosen at random, in input order; <see langword="null"/> for
    /// all.</summary>
    /// <remarks>The choice depends on <see cref="RandomSeed"/> and on the number of each line only. With one seed, a larger sample contains
    /// a smaller one.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 or more than 10,000,000.</exception>
    public int? RandomRows
    {
        get;
        set
        {
            if (value is { } rows)
            {
                ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1, nameof(RandomRows));
                ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, 10_000_000, nameof(RandomRows));
            }

            field = value;
        }
    }

    /// <summary>Gets or sets the seed by which <see cref="RandomRows"/> are chosen.</summary>
    public int RandomSeed { get; set; }

    /// <summary>Gets or sets the number of answers for each row. With more than one, ids become <c>id#0</c>, <c>id#1</c> …</summary>
    /// <value>The default is 1.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1 or more than 10,000.</exception>
    public int Samples
    {
        get;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1, nameof(Samples));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, 10_000, nameof(Samples));
            field = value;
        }
    } = 1;

    /// <summary>Gets or sets a value indicating whether equal rows get an answer each, as samples of one request, rather than share
    /// one.</summary>
    public bool NoDedup { get; set; }

    /// <summary>Gets or sets a value indicating whether the job starts anew rather than resumes. An existing output is renamed, with
    /// <c>.bak</c> appended.</summary>
    public bool Fresh { get; set; }

    /// <summary>Gets or sets a value indicating whether rows that failed in an earlier run are sent again.</summary>
    public bool RetryFailed { get; set; }

    /// <summary>Gets or sets a value indicating whether invalid lines become failed rows rather than refuse the input. From standard input
    /// they always do.</summary>
    public bool SkipInvalid { get; set; }

    /// <summary>Gets or sets a value indicating whether rows have the member <c>fastllm</c> (key, attempts, latency …).</summary>
    /// <value>The default is <see langword="true"/>. Without the member, a later run matches rows by id alone.</value>
    public bool IncludeMetadata { get; set; } = true;

    /// <summary>Gets or sets a callback that is invoked once, before the first send, with the number of rows (<see langword="null"/> from a
    /// pipe) and of finished rows.</summary>
    public Action<long?, long>? OnPlanned { get; set; }

    /// <summary>Gets or sets a value indicating whether the answers are made up: their rows are marked, and a run with a provider sends
    /// them again.</summary>
    internal bool IsSimulated { get; set; }

    /// <summary>Gets or sets the number of rows to send in this run; <see langword="null"/> for all. Further rows stay pending.</summary>
    internal long? MaxSends { get; set; }

    /// <summary>Gets or sets the ids of rows whose records are kept although a rule would send them again: those of the preview;
    /// <see langword="null"/> for none.</summary>
    internal IReadOnlySet<string>? SettledRows { get; set; }

    /// <summary>Gets or sets what processes the rows in place of this machine; <see langword="null"/>: this machine does.</summary>
    internal NewRowProcessor? NewProcessor { get; set; }

    /// <summary>Gets or sets a callback that is invoked with the id and the request of each row before it is sent.</summary>
    internal Action<string, LlmRequest>? OnRowSending { get; set; }

    /// <summary>Gets or sets a callback that is invoked with the id and the outcome of each row after it was written.</summary>
    internal Action<string, ResponseWrapper<LlmResponse>>? OnRowWritten { get; set; }

    /// <summary>Gets or sets a callback that is invoked, before the first send, with the number of lines of a file that name no model. It
    /// may throw to refuse them.</summary>
    internal Action<long>? OnModelMissing { get; set; }

    /// <summary>Gets or sets a callback that is invoked for each row that fails, with its id and the failure.</summary>
    public Action<string, LlmException>? OnRowFailed { get; set; }

    /// <summary>Gets or sets a callback that is invoked with messages for the user, one line each: torn lines, rows matched by id, equal
    /// rows …</summary>
    public Action<string>? OnNotice { get; set; }

    /// <summary>Gets or sets a callback that is invoked with messages that the user must not miss, one line each: paid answers were moved,
    /// something else changed the output …</summary>
    /// <value><see langword="null"/> by default: <see cref="OnNotice"/> receives them.</value>
    public Action<string>? OnWarning { get; set; }

    /// <summary>Gets the shape of the output.</summary>
    internal OutputShape Shape => OutputShape.Of(Output, OutputFormat) with { OtherLog = Log };

    /// <summary>Checks what no single property can check, and copies the options.</summary>
    /// <exception cref="ArgumentException">The options do not fit together.</exception>
    internal JobOptions ValidatedCopy(bool hasBudget)
    {
        if (OutputShape.FaultOf(Output, OutputFormat) is { } fault)
        {
            throw new ArgumentException(fault);
        }

        OutputShape shape = Shape;
        if (Input != Job.Pipe && Output != Job.Pipe && (OutputPath.IsWritten(Input, Output) || OutputPath.IsWritten(Input, shape.Log)))
        {
            string other = Path.ChangeExtension(Output, ".out" + Path.GetExtension(Output));
            throw new ArgumentException(OutputPath.IsSame(Input, Output)
                ? $"{Input} is the input, which is never overwritten. Name another output, such as {other}."
                : $"{Input} is the input, which is never overwritten, and {Output} has files of its own beside it "
                    + "(.log.jsonl, .tmp, .lock, .bak, .torn, .damaged, .spent, .limits, .refresh). Name another output.");
        }

        Refuse(hasBudget && !IncludeMetadata, "A budget needs the cost of each row in the member \"fastllm\". Do not leave it out.");
        ValidateTemplate();
        Refuse(RandomRows is not null && Limit is not null, "A random sample and a limit contradict each other. Use one of them.");
        Refuse(RandomRows is not null && Input == Job.Pipe, "A random sample requires a file: standard input can be read only once.");
        Refuse(Log is not null && (shape.IsLog || OutputPath.IsWritten(Output, Log)), "Only a table has a log, which is another file.");
        Refuse(!shape.IsLog && Order != ResultOrder.Input, $"{Output} is written when the job is done, and always in input order.");
        Refuse(shape.IsTable && !IncludeMetadata, "Rows are made from the member \"fastllm\", so it cannot be omitted.");
        return (JobOptions)MemberwiseClone();
    }

    /// <summary>Checks that the template is well-formed and fits the input format.</summary>
    /// <exception cref="ArgumentException">It does not.</exception>
    internal void ValidateTemplate()
    {
        Template?.Check();
        Refuse(
            Template is not null && InputFormat is InputFormat.OpenAI or InputFormat.Cookbook,
            "A template is for plain rows; rows of this input format are already requests.");
        Refuse(
            Template is null && InputFormat is InputFormat.Jsonl or InputFormat.Csv or InputFormat.Tsv,
            "Plain rows need a template that makes requests of them.");
    }

    /// <summary>Reports a message that the user must not miss.</summary>
    internal void Warn(string warning) => (OnWarning ?? OnNotice)?.Invoke(warning);

    private static void Refuse(bool isWrong, string why)
    {
        if (isWrong)
        {
            throw new ArgumentException(why);
        }
    }
}
