using Parquet;
using Parquet.Schema;

namespace FastLLM.Jobs.Tables;

/// <summary>Writes the cells of one column as a column of a row group.</summary>
internal static class ParquetValues
{
    /// <summary>Writes a column.</summary>
    /// <param name="group">The row group.</param>
    /// <param name="field">The column.</param>
    /// <param name="cells">Its cells, all of the type of the column or empty.</param>
    /// <param name="cancellationToken">Cancels the writing.</param>
    public static Task WriteAsync(ParquetRowGroupWriter group, DataField field, List<Cell> cells, CancellationToken cancellationToken)
    {
        Type type = field.ClrType;
        return type == typeof(string) || type == typeof(ReadOnlyMemory<char>)
                ? group.WriteAsync(field, cells.ConvertAll(static cell => cell.Value is null ? null! : cell.ToText()))
            : type == typeof(byte[]) || type == typeof(ReadOnlyMemory<byte>)
                ? group.WriteAsync(field, cells.ConvertAll(static cell => (byte[])cell.Value!))
            : type == typeof(bool) ? WriteAsync<bool>()
            : type == typeof(long) ? WriteAsync<long>()
            : type == typeof(int) ? WriteAsync<int>()
            : type == typeof(double) ? WriteAsync<double>()
            : type == typeof(float) ? WriteAsync<float>()
            : type == typeof(decimal) ? WriteAsync<decimal>()
            : type == typeof(DateTime) ? WriteAsync<DateTime>()
            : type == typeof(DateOnly) ? WriteAsync<DateOnly>()
            : type == typeof(TimeOnly) ? WriteAsync<TimeOnly>()
            : type == typeof(TimeSpan) ? WriteAsync<TimeSpan>()
            : type == typeof(Guid) ? WriteAsync<Guid>()
            : type == typeof(byte) ? WriteAsync<byte>()
            : type == typeof(sbyte) ? WriteAsync<sbyte>()
            : type == typeof(short) ? WriteAsync<short>()
            : type == typeof(ushort) ? WriteAsync<ushort>()
            : type == typeof(uint) ? WriteAsync<uint>()
            : type == typeof(ulong) ? WriteAsync<ulong>()
            : throw new NotSupportedException($"The column \"{field.Name}\" has the type {type.Name}, which is not supported.");

        Task WriteAsync<T>()
            where T : struct
        {
            if (field.IsNullable)
            {
                T?[] values = [.. cells.Select(static cell => ParquetTypes.ValueOf<T>(cell))];
                return group.WriteAsync<T>(field, (ReadOnlyMemory<T?>)values, cancellationToken: cancellationToken);
            }

            T[] all = [.. cells.Select(static cell => ParquetTypes.ValueOf<T>(cell)
                ?? throw new InvalidDataException("A row lacks a value that its column requires."))];
            return group.WriteAsync<T>(field, (ReadOnlyMemory<T>)all, cancellationToken: cancellationToken);
        }
    }
}
