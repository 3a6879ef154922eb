namespace FastLLM;

/// <summary>What a <see cref="Job"/> reads, writes and keeps.</summary>
/// <remarks>Read when the run begins; later changes have no effect.</remarks>
public sealed class JobOptions
{
    /// <summary>Gets or sets where rows come from: the path of a file, or <c>-</c> for standard input, which is read once and as it comes.</summary>
    public required string Input { get; set; }

    /// <summary>Gets or sets where outcomes go: the path of a file, or <c>-</c> for standard output.</summary>
    public required string Output { get; set; }

    /// <summary>Gets or sets the order of the output's rows when the run is done.</summary>
    /// <value>The default is that of the input. While a run goes on, the output is a log in the order of completion.</value>
    public ResultOrder Order { get; set; } = ResultOrder.Input;

    /// <summary>Gets or sets how lines are read.</summary>
    public InputFormat InputFormat { get; set; } = InputFormat.Auto;

    /// <summary>Gets or sets what plain rows ask; <see langword="null"/> where the input's rows are requests already.</summary>
    public RowTemplate? Template { get; set; }

    /// <summary>Gets or sets what stands in the output when the run is done.</summary>
    /// <value>By default as the output's name says: a table where it ends with <c>.csv</c> or <c>.tsv</c>, else OpenAI's lines.</value>
    /// <remarks>Where the output is not OpenAI's lines in plain text, those stand beside it, in a log named like the output with <c>.log.jsonl</c>
    /// behind. Runs go on with the log; the output is made of it when every row has its outcome.</remarks>
    public OutputFormat OutputFormat { get; set; } = OutputFormat.Auto;

    /// <summary>Gets or sets the model for rows that name none.</summary>
    public string? Model { get; set; }

    /// <summary>Gets or sets how many rows of the input are processed; <see langword="null"/> for all of them.</summary>
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

    /// <summary>Gets or sets how many answers each row gets. With more than one, ids become <c>id#0</c>, <c>id#1</c> …</summary>
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

    /// <summary>Gets or sets a value indicating whether the k-th of equal rows is a sample of its own, rather than sharing the first one's answer.</summary>
    public bool NoDedup { get; set; }

    /// <summary>Gets or sets a value indicating whether an output of an earlier run is replaced rather than gone on with. It is kept beside, with <c>.bak</c>.</summary>
    public bool Fresh { get; set; }

    /// <summary>Gets or sets a value indicating whether rows that failed in an earlier run are sent again.</summary>
    public bool RetryFailed { get; set; }

    /// <summary>Gets or sets a value indicating whether wrong lines become failed rows, and the others go on. Always so from standard input.</summary>
    public bool SkipInvalid { get; set; }

    /// <summary>Gets or sets a value indicating whether rows carry the member <c>fastllm</c> (key, attempts, latency …).</summary>
    /// <value>The default is <see langword="true"/>. Without it, a later run trusts rows by their id alone.</value>
    public bool IncludeMetadata { get; set; } = true;

    /// <summary>Gets or sets who is told, once and before the first send, how many rows there are (<see langword="null"/> from a pipe) and how many of them stand finished already.</summary>
    public Action<long?, long>? OnPlanned { get; set; }

    /// <summary>Gets or sets who is told of each row that fails: its id, and why.</summary>
    public Action<string, LlmException>? OnRowFailed { get; set; }

    /// <summary>Gets or sets who is told, in one line each, what a person should know: torn lines, rows trusted by id, equal rows …</summary>
    public Action<string>? OnNotice { get; set; }
}
