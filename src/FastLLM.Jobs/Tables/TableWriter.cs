namespace FastLLM.Jobs.Tables;

/// <summary>Base class for the writers of output tables.</summary>
internal abstract class TableWriter : IAsyncDisposable
{
    /// <summary>Gets messages about what had to be changed in cells, after the end.</summary>
    public virtual IEnumerable<string> Notices => [];

    /// <summary>Creates the writer of a form.</summary>
    /// <param name="kind">The form, which is that of a table.</param>
    /// <param name="stream">The file; it stays open.</param>
    /// <param name="layout">The columns.</param>
    /// <param name="form">The form of the input, which an output of the same kind keeps.</param>
    /// <param name="guards">Whether answers that may be formulas begin with an apostrophe in text files.</param>
    public static TableWriter Create(OutputKind kind, Stream stream, TableLayout layout, TableForm form, bool guards) => kind switch
    {
        OutputKind.JsonRows or OutputKind.JsonArray => new JsonRowsWriter(stream, layout, isArray: kind == OutputKind.JsonArray),
        OutputKind.Csv => new DelimitedWriter(stream, layout, (char)(form.Separator ?? (byte)','), form.Encoding, guards),
        OutputKind.Tsv => new DelimitedWriter(stream, layout, '\t', form.Encoding, guards),
        OutputKind.Workbook => new WorkbookWriter(stream, layout, form.Sheet ?? "Sheet1"),
        OutputKind.Parquet when ParquetSupport.IsAvailable => new ParquetRowsWriter(stream, layout, form.Fields),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "The form is not a table."),
    };

    /// <summary>Writes a row.</summary>
    public abstract ValueTask WriteAsync(OutputRow row, CancellationToken cancellationToken);

    /// <summary>Ends the table.</summary>
    public abstract ValueTask EndAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract ValueTask DisposeAsync();
}
