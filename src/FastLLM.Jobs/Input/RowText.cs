using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>Base class for readers of rows that are JSON texts.</summary>
internal abstract class RowText : IDisposable
{
    /// <summary>Gets the number of the line in which the last row begins, from 1.</summary>
    public abstract long Line { get; }

    /// <summary>Gets the number that is the id of a row without one.</summary>
    public abstract long Number { get; }

    /// <summary>Gets an array that a later reader of the input may use again.</summary>
    public virtual byte[]? Spare => null;

    /// <summary>Reads the next row. The bytes are valid until the next call.</summary>
    /// <returns>The row, or <see langword="null"/> after the last one.</returns>
    /// <exception cref="InvalidDataException">The input cannot be read any further.</exception>
    public abstract ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken);

    /// <summary>Gets the row that was read last as bytes that its user may keep.</summary>
    public abstract ReadOnlyMemory<byte> Keep(ReadOnlyMemory<byte> row);

    /// <summary>Returns an error with the place of its row, as far as the number of the line does not show it.</summary>
    public virtual string Located(string error) => error;

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Reads one row per line, without blank lines.</summary>
internal sealed class RowLines(LineReader lines) : RowText
{
    public override long Line => lines.Line;

    public override long Number => lines.Line;

    public override byte[]? Spare => lines.Spare;

    public override async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.Span.ContainsAnyExcept(" \t\r"u8))
            {
                return line;
            }
        }

        return null;
    }

    public override ReadOnlyMemory<byte> Keep(ReadOnlyMemory<byte> row) => lines.Keep(row);

    public override void Dispose() => lines.Dispose();
}
