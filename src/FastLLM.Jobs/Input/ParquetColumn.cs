using FastLLM.Jobs.Tables;
using Parquet;
using Parquet.Schema;

namespace FastLLM.Jobs.Input;

/// <summary>Reads a column of a row group as cells.</summary>
internal static class ParquetColumn
{
    /// <summary>Reads a column.</summary>
    /// <returns>A function that gets the cell of a row.</returns>
    /// <exception cref="NotSupportedException">The type of the column is unknown.</exception>
    public static async Task<Func<int, Cell>> ReadAsync(
        ParquetRowGroupReader group, DataField field, int rows, CancellationToken cancellationToken)
    {
        Type type = field.ClrType;
        if (type == typeof(string) || type == typeof(ReadOnlyMemory<char>))
        {
            string?[] texts = new string?[rows];
            await group.ReadAsync(field, texts.AsMemory(), cancellationToken: cancellationToken).ConfigureAwait(false);
            return row => Cell.Text(texts[row]);
        }

        if (type == typeof(byte[]) || type == typeof(ReadOnlyMemory<byte>))
        {
            byte[]?[] bytes = new byte[]?[rows];
            await group.ReadAsync(field, bytes.AsMemory(), cancellationToken: cancellationToken).ConfigureAwait(false);
            return row => bytes[row] is { } value ? new Cell(CellKind.Other, value) : Cell.Empty;
        }

        return type == typeof(bool) ? await ReadAsync<bool>(CellKind.Boolean).ConfigureAwait(false)
            : type == typeof(long) ? await ReadAsync<long>(field is TimeDataField ? CellKind.Other : CellKind.Number).ConfigureAwait(false)
            : type == typeof(int) ? await ReadAsync<int>(field is TimeDataField ? CellKind.Other : CellKind.Number).ConfigureAwait(false)
            : type == typeof(double) ? await ReadAsync<double>(CellKind.Number).ConfigureAwait(false)
            : type == typeof(float) ? await ReadAsync<float>(CellKind.Number).ConfigureAwait(false)
            : type == typeof(decimal) ? await ReadAsync<decimal>(CellKind.Number).ConfigureAwait(false)
            : type == typeof(DateTime) ? WithKind(await ReadAsync<DateTime>(CellKind.Time).ConfigureAwait(false))
            : type == typeof(DateOnly) ? await ReadAsync<DateOnly>(CellKind.Other).ConfigureAwait(false)
            : type == typeof(TimeOnly) ? await ReadAsync<TimeOnly>(CellKind.Other).ConfigureAwait(false)
            : type == typeof(TimeSpan) ? await ReadAsync<TimeSpan>(CellKind.Other).ConfigureAwait(false)
            : type == typeof(Guid) ? await ReadAsync<Guid>(CellKind.Other).ConfigureAwait(false)
            : type == typeof(byte) ? await ReadAsync<byte>(CellKind.Number).ConfigureAwait(false)
            : type == typeof(sbyte) ? await ReadAsync<sbyte>(CellKind.Number).ConfigureAwait(false)
            : type == typeof(short) ? await ReadAsync<short>(CellKind.Number).ConfigureAwait(false)
            : type == typeof(ushort) ? await ReadAsync<ushort>(CellKind.Number).ConfigureAwait(false)
            : type == typeof(uint) ? await ReadAsync<uint>(CellKind.Number).ConfigureAwait(false)
            : type == typeof(ulong) ? await ReadAsync<ulong>(CellKind.Number).ConfigureAwait(false)
            : throw new NotSupportedException($"the column \"{field.Name}\" has the type {type.Name}, which is not supported.");

        // Only a column of moments is UTC; days and local times have no zone.
        Func<int, Cell> WithKind(Func<int, Cell> cells)
        {
            bool isUtc = field is DateTimeDataField { DateTimeFormat: not DateTimeFormat.Date, IsAdjustedToUTC: true };
            DateTimeKind kind = isUtc ? DateTimeKind.Utc : DateTimeKind.Unspecified;
            return row => cells(row) is { Value: DateTime time } cell ? cell with { Value = DateTime.SpecifyKind(time, kind) } : Cell.Empty;
        }

        async Task<Func<int, Cell>> ReadAsync<T>(CellKind kind)
            where T : struct
        {
            if (!field.IsNullable)
            {
                var all = new T[rows];
                await group.ReadAsync(field, all.AsMemory(), cancellationToken: cancellationToken).ConfigureAwait(false);
                return row => new Cell(kind, all[row]);
            }

            var values = new T?[rows];
            await group.ReadAsync(field, values.AsMemory(), cancellationToken: cancellationToken).ConfigureAwait(false);
            return row => values[row] is { } value ? new Cell(kind, value) : Cell.Empty;
        }
    }
}
