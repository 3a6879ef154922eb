using FastLLM.Jobs.Tables;

namespace FastLLM.Jobs.Input;

/// <summary>Base class for readers of tables, whose first record names the columns.</summary>
internal abstract class TableSource : IDisposable
{
    /// <summary>Gets the number of the line or row in which the last record begins, from 1.</summary>
    public abstract long Line { get; }

    /// <summary>Gets the form that an output of the same kind keeps.</summary>
    public abstract TableForm Form { get; }

    /// <summary>Gets what to do about a record with more or, if <paramref name="lacksCells"/>, fewer cells than columns.</summary>
    public virtual string WidthAdvice(bool lacksCells) => lacksCells
        ? "Empty cells need their separators, too."
        : "A cell with a separator in it needs quotes around it.";

    /// <summary>Reads the next record, without empty ones.</summary>
    /// <returns>Its cells, or its error; neither after the last record.</returns>
    /// <exception cref="InvalidDataException">The table cannot be read any further.</exception>
    public abstract ValueTask<(Cell[]? Cells, string? Error)> ReadAsync(CancellationToken cancellationToken);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Reads the records of a CSV or TSV file.</summary>
internal sealed class TextTable(TableReader reader, TableForm form) : TableSource
{
    public override long Line => reader.Line;

    public override TableForm Form => form;

    public override async ValueTask<(Cell[]? Cells, string? Error)> ReadAsync(CancellationToken cancellationToken)
    {
        (string[]? cells, string? error) = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return (cells is null ? null : Array.ConvertAll(cells, static cell => Cell.Text(cell)), error);
    }

    public override void Dispose() => reader.Dispose();
}
