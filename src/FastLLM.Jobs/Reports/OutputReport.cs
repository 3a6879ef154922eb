using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Reports;
using FastLLM.Jobs.Tables;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>What the rows of an output file add up to, and a page that shows it.</summary>
/// <remarks>
/// <para>Reads OpenAI's batch output lines, whoever wrote them: a <see cref="Job"/>, OpenAI's batches, vLLM's <c>run-batch</c>. What a file does not
/// say is left out. The file is read twice; a run may write to it meanwhile.</para>
/// <para>The page is one file that loads nothing and sends nothing; texts of models stand in it as text, never as HTML. See <c>docs/report.md</c>.</para>
/// <para>Memory: some bytes a row to know which record of a row is the last, and one row at a time; the answers are not kept.</para>
/// </remarks>
public sealed partial class OutputReport
{
    private const int MaxRows = 50_000;
    private const long MaxTextBytes = 64_000_000;

    private static readonly JsonDocumentOptions s_depth = new() { MaxDepth = 4096 };

    private OutputReport(Totals totals)
    {
        Rows = totals.Rows;
        Failed = totals.Failed;
        Cached = totals.Cached;
        Shared = totals.Shared;
        Sends = totals.Sends;
        MaybeBilled = totals.MaybeBilled;
        Cost = totals.Cost;
        RowsWithCost = totals.Costed;
        Failures = totals.Failures.Ranked();
        FinishReasons = totals.FinishReasons.Ranked();
        Models = totals.Models.Ranked();
        LimitedBy = totals.Bottlenecks.Ranked();
        Latency = Spread(totals.Latency);
        PromptTokens = Spread(totals.PromptTokens);
        CompletionTokens = Spread(totals.CompletionTokens);
        First = totals.Times.IsEmpty ? null : totals.Times.First;
        Last = totals.Times.IsEmpty ? null : totals.Times.Last;
        TimesAreTheProviders = totals.TimesAreTheProviders;
    }

    /// <summary>Gets the rows: of several records of one id, the last.</summary>
    public long Rows { get; }

    /// <summary>Gets the rows that have an answer.</summary>
    public long Succeeded => Rows - Failed;

    /// <summary>Gets the rows that have none.</summary>
    public long Failed { get; }

    /// <summary>Gets the rows answered from the cache.</summary>
    public long Cached { get; }

    /// <summary>Gets the rows that share the answer of an equal row.</summary>
    public long Shared { get; }

    /// <summary>Gets the sends that the rows tell of.</summary>
    public long Sends { get; }

    /// <summary>Gets the sends without an answer that may be billed.</summary>
    public long MaybeBilled { get; }

    /// <summary>Gets the lines that are no records. They count nowhere else.</summary>
    public long Damaged { get; private init; }

    /// <summary>Gets the records that a later one of the same row replaces. They count nowhere else.</summary>
    public long Replaced { get; private init; }

    /// <summary>Gets the rows' cost in US dollars; <see langword="null"/> where no row says it.</summary>
    public decimal? Cost { get; }

    /// <summary>Gets the rows that say what they cost.</summary>
    public long RowsWithCost { get; }

    /// <summary>Gets failures by kind, the most frequent first.</summary>
    public IReadOnlyList<ReportCount> Failures { get; }

    /// <summary>Gets answers by why they ended, the most frequent first.</summary>
    public IReadOnlyList<ReportCount> FinishReasons { get; }

    /// <summary>Gets answers by the model that gave them, the most frequent first.</summary>
    public IReadOnlyList<ReportCount> Models { get; }

    /// <summary>Gets rows by what kept the run from being faster when they were written, the most frequent first; empty where no row says it.</summary>
    public IReadOnlyList<ReportCount> LimitedBy { get; }

    /// <summary>Gets how long the last send of a row took, in milliseconds, without cached and shared rows.</summary>
    public ReportSpread Latency { get; }

    /// <summary>Gets the input tokens of answered requests.</summary>
    public ReportSpread PromptTokens { get; }

    /// <summary>Gets the output tokens of answers.</summary>
    public ReportSpread CompletionTokens { get; }

    /// <summary>Gets when the first row was written; <see langword="null"/> where no row says when.</summary>
    public DateTimeOffset? First { get; }

    /// <summary>Gets when the last row was written; <see langword="null"/> where no row says when.</summary>
    public DateTimeOffset? Last { get; }

    /// <summary>Gets a value indicating whether <see cref="First"/> and <see cref="Last"/> are the provider's times, since no row has one of its own.</summary>
    public bool TimesAreTheProviders { get; }

    /// <summary>Gets how many rows the page's table holds: all of 50,000; of more the failures, as far as they fit, and an even choice of the others.</summary>
    public long RowsInPage { get; private init; }

    /// <summary>Gets how many failures are among them.</summary>
    public long FailedInPage { get; private init; }

    /// <summary>Gets how many answers are cut in the page's table, so that it opens quickly.</summary>
    public long CutInPage { get; private init; }

    /// <summary>Reads an output and writes the page.</summary>
    /// <param name="output">The output file; of one that is made of a log (a table, packed lines), the log beside it is read.</param>
    /// <param name="html">Where the page goes; left open.</param>
    /// <param name="cancellationToken">Stops; the page is not whole then.</param>
    /// <returns>The numbers that the page shows.</returns>
    /// <exception cref="IOException">The output cannot be read, or the page not be written.</exception>
    /// <exception cref="InvalidDataException">The file has lines, but not one of them is a record.</exception>
    public static async Task<OutputReport> WriteAsync(string output, Stream html, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(output);
        ArgumentNullException.ThrowIfNull(html);
        output = LogOf(output);
        FileStream file = Open(output);
        await using (file.ConfigureAwait(false))
        {
            var selection = new Selection(MaxRows, MaxTextBytes);
            HashSet<long> replaced = await LookThroughAsync(file, selection, cancellationToken).ConfigureAwait(false);
            var totals = new Totals();
            string name = Path.GetFileName(output);
            var page = new ReportPage(html, selection.TextLength);
            await using (page.ConfigureAwait(false))
            {
                page.Begin(name);
                long damaged = await ReadAsync(file, replaced, selection, totals, page, cancellationToken).ConfigureAwait(false);
                if (totals.Rows == 0 && damaged > 0)
                {
                    throw new InvalidDataException($"{output} is no output: none of its {damaged} lines is a record of a row.");
                }

                var report = new OutputReport(totals) { Damaged = damaged, Replaced = replaced.Count, RowsInPage = page.Rows, FailedInPage = page.FailedRows, CutInPage = page.CutRows };
                await page.EndAsync(ReportBody.Of(name, report, totals, selection.TextLength), cancellationToken).ConfigureAwait(false);
                return report;
            }
        }
    }

    // The first look: which records are replaced by later ones, and how many rows of what length there are.
    private static async Task<HashSet<long>> LookThroughAsync(FileStream file, Selection selection, CancellationToken cancellationToken)
    {
        var last = new Dictionary<ulong, (long Line, int Length, bool Succeeded)>();
        HashSet<long> replaced = [];
        using var lines = new LineReader(file);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            OutputEntry entry = OutputLine.Read(line.Span, 0, line.Length);
            if (entry.IsDamaged)
            {
                continue;
            }

            ulong id = RowIndex.Fingerprint(entry.CustomId);
            if (last.TryGetValue(id, out (long Line, int Length, bool Succeeded) earlier))
            {
                replaced.Add(earlier.Line);
                selection.Discount(earlier.Length, earlier.Succeeded);
            }

            last[id] = (lines.Line, line.Length, entry.Succeeded);
            selection.Count(line.Length, entry.Succeeded);
        }

        return replaced;
    }

    private static async Task<long> ReadAsync(FileStream file, HashSet<long> replaced, Selection selection, Totals totals, ReportPage page, CancellationToken cancellationToken)
    {
        long damaged = 0;
        file.Position = 0;
        using var lines = new LineReader(file);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (replaced.Contains(lines.Line))
            {
                continue;
            }

            if (TryRead(line, lines.Line) is not { } row)
            {
                damaged += line.Span.Trim(" \t\r"u8).IsEmpty ? 0 : 1;
                continue;
            }

            totals.Add(row);
            if (selection.Takes(row.Succeeded))
            {
                await page.AddAsync(row, cancellationToken).ConfigureAwait(false);
            }
        }

        return damaged;
    }

    private static ReportRow? TryRead(ReadOnlyMemory<byte> line, long number)
    {
        OutputEntry entry = OutputLine.Read(line.Span, 0, line.Length);
        if (entry.IsDamaged)
        {
            return null;
        }

        try
        {
            using JsonDocument record = JsonDocument.Parse(line, s_depth);
            return ReportRow.Read(record.RootElement, number, entry.Succeeded);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null; // a name with half of a surrogate pair
        }
    }

    // A table, or lines that are packed, are made of a log beside them: that is what tells.
    private static string LogOf(string output) => OutputShape.Of(output, OutputFormat.Rows).Log is var log && File.Exists(log) ? log : output;

    // A run may append to the file, and put it in order, while it is read.
    private static FileStream Open(string output) => new(output, new FileStreamOptions
    {
        Access = FileAccess.Read,
        Share = FileShare.ReadWrite | FileShare.Delete,
        Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
    });

    private static ReportSpread Spread(Histogram histogram) => histogram.Count == 0
        ? default
        : new ReportSpread(histogram.Count, histogram.Sum, histogram.Quantile(0.5), histogram.Quantile(0.9), histogram.Quantile(0.99), histogram.Max);
}
