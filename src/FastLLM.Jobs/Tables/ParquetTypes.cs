using System.Globalization;
using Parquet.Schema;

namespace FastLLM.Jobs.Tables;

/// <summary>Decides the types of the columns of a Parquet file, and converts cells to them.</summary>
internal static class ParquetTypes
{
    /// <summary>Creates a column: as the input has it, or of the narrowest type that holds every value.</summary>
    public static DataField FieldOf(string name, ColumnKinds kinds, DataField? input)
    {
        if (input is not null)
        {
            return (DataField)input.Clone();
        }

        const ColumnKinds Whole = ColumnKinds.Whole | ColumnKinds.LargeWhole, Number = ColumnKinds.Whole | ColumnKinds.Number;
        return kinds switch
        {
            ColumnKinds.None => new DataField<string>(name),
            _ when (kinds & ~Whole) == 0 => new DataField<long?>(name),
            _ when (kinds & ~Number) == 0 => new DataField<double?>(name),
            ColumnKinds.Boolean => new DataField<bool?>(name),
            ColumnKinds.Date => new DateTimeDataField(name, DateTimeFormat.Timestamp, unit: DateTimeTimeUnit.Micros, isNullable: true),
            _ => new DataField<string>(name),
        };
    }

    /// <summary>Gets the value of a cell; <see langword="null"/> for none.</summary>
    /// <exception cref="InvalidDataException">The cell has no value of the type.</exception>
    public static T? ValueOf<T>(in Cell cell)
        where T : struct => cell.Value switch
    {
        null => null,
        T value => value,
        _ when typeof(T) == typeof(double) && double.TryParse(cell.ToText(), CultureInfo.InvariantCulture, out double number)
            => (T)(object)number,
        _ when typeof(T) == typeof(long) && long.TryParse(cell.ToText(), CultureInfo.InvariantCulture, out long whole) => (T)(object)whole,
        _ => throw new InvalidDataException($"A value of a column of {typeof(T).Name} is not one: {cell.ToText()}."),
    };
}
