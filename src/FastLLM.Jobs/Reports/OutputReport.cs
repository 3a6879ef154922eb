using FastLLM.Jobs.Reports;

namespace FastLLM;

/// <summary>Represents the totals of an output file, and writes a page that shows them.</summary>
/// <remarks>
/// <para>Reads OpenAI's batch output lines from any writer: a <see cref="Job"/>, OpenAI's batches, vLLM's <c>run-batch</c>. Values that
/// a file lacks are omitted. The file is read twice; a run may write to it meanwhile.</para>
/// <para>The page is one file that loads nothing and sends nothing; it shows the text of models as text, never as HTML. See
/// <c>docs/report.md</c>.</para>
/// <para>Memory: some bytes a row, to find the last record of each row, and one row at a time; answers are not kept.</para>
/// </remarks>
public sealed class OutputReport
{
    private readonly Totals _totals;

    internal OutputReport(Totals totals) => _totals = totals;

    /// <summary>Gets the number of rows. Of several records with one id, the last counts.</summary>
    public long Rows => _totals.Rows;

    /// <summary>Gets the number of rows with an answer.</summary>
    public long Succeeded => Rows - Failed;

    /// <summary>Gets the number of rows without an answer.</summary>
    public long Failed => _totals.Failed;

    /// <summary>Gets the number of rows answered from the cache.</summary>
    public long Cached => _totals.Cached;

    /// <summary>Gets the number of rows that share the answer of an equal row.</summary>
    public long Shared => _totals.Shared;

    /// <summary>Gets the number of sends, as far as rows state it.</summary>
    public long Sends => _totals.Sends;

    /// <summary>Gets the number of sends without an answer that may be billed.</summary>
    public long MaybeBilled => _totals.MaybeBilled;

    /// <summary>Gets the number of lines that are no records. No other number includes them.</summary>
    public long Damaged { get; internal init; }

    /// <summary>Gets the number of records that a later record of the same row replaces. No other number includes them.</summary>
    public long Replaced { get; internal init; }

    /// <summary>Gets the cost of the rows in US dollars; <see langword="null"/> if no row states it.</summary>
    public decimal? Cost => _totals.Cost;

    /// <summary>Gets the number of rows that state their cost.</summary>
    public long RowsWithCost => _totals.Costed;

    /// <summary>Gets the failures by kind, the most frequent first.</summary>
    public IReadOnlyList<ReportCount> Failures => _totals.Failures.Ranked();

    /// <summary>Gets the answers by finish reason, the most frequent first.</summary>
    public IReadOnlyList<ReportCount> FinishReasons => _totals.FinishReasons.Ranked();

    /// <summary>Gets the answers by model, the most frequent first.</summary>
    public IReadOnlyList<ReportCount> Models => _totals.Models.Ranked();

    /// <summary>Gets the rows by the bottleneck when they were written, the most frequent first; empty if no row states it.</summary>
    public IReadOnlyList<ReportCount> LimitedBy => _totals.Bottlenecks.Ranked();

    /// <summary>Gets the latency of the last send of each row in milliseconds, without cached and shared rows.</summary>
    public ReportSpread Latency => _totals.Latency.Spread();

    /// <summary>Gets the input tokens of answered requests.</summary>
    public ReportSpread PromptTokens => _totals.PromptTokens.Spread();

    /// <summary>Gets the output tokens of answers.</summary>
    public ReportSpread CompletionTokens => _totals.CompletionTokens.Spread();

    /// <summary>Gets the lengths of answers in characters.</summary>
    public ReportSpread AnswerLengths => _totals.AnswerLengths.Spread();

    /// <summary>Gets the short answers (at most 60 characters), the most frequent first.</summary>
    public IReadOnlyList<ReportCount> ShortAnswers => _totals.ShortAnswers.Ranked();

    /// <summary>Gets the values in answers that are JSON objects, field by field: texts, numbers and truth values of at most 80 characters,
    /// the most frequent first. After the first hundred, new values count as <c>(others)</c>.</summary>
    public IReadOnlyList<FieldDistribution> AnswerFields =>
    [
        .. _totals.Fields.Ranked().Select(one =>
            new FieldDistribution(one.Name, [.. one.Values.Select(value => KeyValuePair.Create(value.Name, value.Count))])),
    ];

    /// <summary>Gets the time when the first row was written; <see langword="null"/> if no row states it.</summary>
    public DateTimeOffset? First => _totals.Times.IsEmpty ? null : _totals.Times.First;

    /// <summary>Gets the time when the last row was written; <see langword="null"/> if no row states it.</summary>
    public DateTimeOffset? Last => _totals.Times.IsEmpty ? null : _totals.Times.Last;

    /// <summary>Gets a value indicating whether <see cref="First"/> and <see cref="Last"/> are the provider's times.</summary>
    public bool TimesAreTheProviders => _totals.TimesAreTheProviders;

    /// <summary>Gets the number of rows in the page's table: up to 50,000, failures first, then an even choice of the others.</summary>
    public long RowsInPage { get; internal init; }

    /// <summary>Gets the number of failures among them.</summary>
    public long FailedInPage { get; internal init; }

    /// <summary>Gets the number of answers that are cut in the page's table, so that it opens quickly.</summary>
    public long CutInPage { get; internal init; }

    /// <summary>Reads an output and writes the page.</summary>
    /// <param name="output">The output file; for a table or packed lines, the log beside it is read.</param>
    /// <param name="html">Receives the page; stays open.</param>
    /// <param name="cancellationToken">Cancels; the page is then incomplete.</param>
    /// <returns>The numbers that the page shows.</returns>
    /// <exception cref="IOException">The output cannot be read, or the page cannot be written.</exception>
    /// <exception cref="InvalidDataException">The file has lines, but none of them is a record.</exception>
    public static Task<OutputReport> WriteAsync(string output, Stream html, CancellationToken cancellationToken = default) =>
        WriteAsync(output, html, input: null, cancellationToken);

    /// <summary>Reads an output and its input, and writes the page with the questions of its requests.</summary>
    /// <param name="output">The output file; for a table or packed lines, the log beside it is read.</param>
    /// <param name="html">Receives the page; stays open.</param>
    /// <param name="input">The input; <see langword="null"/> for the file that an output with this name is made from by default, or else
    /// the one file of its folder with rows of the output.</param>
    /// <param name="cancellationToken">Cancels; the page is then incomplete.</param>
    /// <inheritdoc cref="WriteAsync(string, Stream, CancellationToken)"/>
    public static Task<OutputReport> WriteAsync(string output, Stream html, string? input, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(output);
        ArgumentNullException.ThrowIfNull(html);
        return ReportWriter.WriteAsync(output, input, html, cancellationToken);
    }

    /// <summary>Reads an output and writes the page to a file that only its owner can read. The file appears when it is complete.</summary>
    /// <param name="output">The output file; for a table or packed lines, the log beside it is read.</param>
    /// <param name="html">The page; an earlier report is replaced, any other file is not.</param>
    /// <param name="cancellationToken">Cancels; no file is left then.</param>
    /// <returns>The numbers that the page shows.</returns>
    /// <exception cref="IOException">The output cannot be read, the page cannot be written, or another file has its name.</exception>
    /// <exception cref="InvalidDataException">The file has lines, but none of them is a record.</exception>
    public static Task<OutputReport> WriteAsync(string output, string html, CancellationToken cancellationToken = default) =>
        WriteAsync(output, html, input: null, cancellationToken);

    /// <summary>Reads an output and its input, and writes the page with the questions of its requests to a file.</summary>
    /// <param name="output">The output file; for a table or packed lines, the log beside it is read.</param>
    /// <param name="html">The page; an earlier report is replaced, any other file is not.</param>
    /// <param name="input">The input; <see langword="null"/> for the file that an output with this name is made from by default, or else
    /// the one file of its folder with rows of the output.</param>
    /// <param name="cancellationToken">Cancels; no file is left then.</param>
    /// <inheritdoc cref="WriteAsync(string, string, CancellationToken)"/>
    public static Task<OutputReport> WriteAsync(string output, string html, string? input, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(output);
        ArgumentException.ThrowIfNullOrEmpty(html);
        return ReportWriter.WriteFileAsync(output, input, html, cancellationToken);
    }

    /// <summary>Gets the numbers as one JSON object, described in <c>docs/report.md</c>, in ASCII.</summary>
    public string ToJson() => ReportJson.Of(this);
}
