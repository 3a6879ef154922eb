using System.Globalization;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>Specifies what a cell holds.</summary>
internal enum CellKind : byte
{
    /// <summary>The row does not have the column.</summary>
    Absent,

    /// <summary>The row has the column, without a value.</summary>
    Empty,

    /// <summary>Text: a <see cref="string"/>.</summary>
    Text,

    /// <summary>A number: its digits as a <see cref="string"/>, or a number of .NET.</summary>
    Number,

    /// <summary>A <see cref="bool"/>.</summary>
    Boolean,

    /// <summary>A <see cref="DateTime"/>, or a <see cref="TimeSpan"/> for a time of day or a duration.</summary>
    Time,

    /// <summary>A list or an object: its JSON as a <see cref="string"/>.</summary>
    Json,

    /// <summary>A value of a Parquet file that other forms write as text, such as bytes.</summary>
    Other,
}

/// <summary>Represents a cell of a table, in and out.</summary>
internal readonly record struct Cell(CellKind Kind, object? Value)
{
    private const string Seconds = "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK";

    public static Cell Empty { get; } = new(CellKind.Empty, null);

    /// <summary>Gets a value indicating whether the cell has no value; an empty text is none.</summary>
    public bool IsEmpty => Kind is CellKind.Absent or CellKind.Empty || Value is "";

    public static Cell Text(string? text) => text is null ? Empty : new Cell(CellKind.Text, text);

    /// <summary>Creates a cell of the digits of a JSON number.</summary>
    public static Cell Number(string? digits) => digits is null ? Empty : new Cell(CellKind.Number, digits);

    public static Cell Whole(long? number) => number is null ? Empty : new Cell(CellKind.Number, number);

    public static Cell Json(string json) => new(CellKind.Json, json);

    /// <summary>Creates a cell of a JSON value.</summary>
    public static Cell Of(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => Text(value.Text()),
        JsonValueKind.Number => Number(value.RawText()),
        JsonValueKind.True => new Cell(CellKind.Boolean, true),
        JsonValueKind.False => new Cell(CellKind.Boolean, false),
        JsonValueKind.Null or JsonValueKind.Undefined => Empty,
        _ => Json(value.RawText()),
    };

    /// <summary>Gets the value as text, as templates and CSV have it; empty for none. Dates are ISO 8601, numbers have a point.</summary>
    public string ToText() => Value switch
    {
        null => "",
        string text => text,
        bool flag => flag ? "true" : "false",
        DateTime { TimeOfDay.Ticks: 0, Kind: not DateTimeKind.Utc } date => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
        DateTime time => time.ToString(Seconds, CultureInfo.InvariantCulture),
        TimeSpan time => time.ToString("c", CultureInfo.InvariantCulture),
        byte[] bytes => Convert.ToBase64String(bytes),
        IFormattable value => value.ToString(null, CultureInfo.InvariantCulture),
        var value => value.ToString() ?? "",
    };

    /// <summary>Writes the value as JSON. Numbers that JSON lacks, such as NaN, are text.</summary>
    public void WriteJson(Utf8JsonWriter writer)
    {
        switch (Kind)
        {
            case CellKind.Absent or CellKind.Empty:
                writer.WriteNullValue();
                break;
            case CellKind.Boolean:
                writer.WriteBooleanValue((bool)Value!);
                break;
            case CellKind.Json:
                writer.WriteRawValue((string)Value!, skipInputValidation: true);
                break;
            case CellKind.Number when Value is not (double.NaN or double.PositiveInfinity or double.NegativeInfinity
                or float.NaN or float.PositiveInfinity or float.NegativeInfinity):
                writer.WriteRawValue(ToText(), skipInputValidation: true);
                break;
            default:
                writer.WriteStringValue(ToText());
                break;
        }
    }
}
