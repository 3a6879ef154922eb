using System.Globalization;
using System.Text;
using System.Text.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>Specifies what the values of a column are, as far as they have been seen.</summary>
[Flags]
internal enum ColumnKinds
{
    None = 0,
    Text = 1,

    /// <summary>Whole numbers of 64 bits.</summary>
    Whole = 2,

    /// <summary>Numbers that <see cref="double"/> holds exactly.</summary>
    Number = 4,
    Boolean = 8,
    Date = 16,

    /// <summary>Whole numbers of 64 bits that <see cref="double"/> does not hold exactly.</summary>
    LargeWhole = 32,

    /// <summary>Values that only text holds: other numbers, lists, objects.</summary>
    Other = 64,
}

/// <summary>Finds out what a value is.</summary>
internal static class ColumnKind
{
    /// <summary>Gets the kind of a cell; none without a value.</summary>
    public static ColumnKinds Of(in Cell cell) => cell.Kind switch
    {
        _ when cell.Value is null => ColumnKinds.None,
        CellKind.Text => ColumnKinds.Text,
        CellKind.Boolean => ColumnKinds.Boolean,
        CellKind.Number => OfNumber(cell.ToText()),
        CellKind.Time when cell.Value is DateTime => ColumnKinds.Date,
        _ => ColumnKinds.Other,
    };

    /// <summary>Gets the kind of the JSON value at a reader.</summary>
    public static ColumnKinds Of(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.Null => ColumnKinds.None,
        JsonTokenType.String => ColumnKinds.Text,
        JsonTokenType.True or JsonTokenType.False => ColumnKinds.Boolean,
        JsonTokenType.Number => OfNumber(Encoding.ASCII.GetString(reader.ValueSpan)),
        _ => ColumnKinds.Other,
    };

    /// <summary>Determines whether <see cref="double"/> holds a number exactly, as it is written.</summary>
    public static bool IsExact(string digits, out double number)
    {
        bool isNumber = double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number);
        return isNumber && Significant(digits) == Significant(number.ToString("R", CultureInfo.InvariantCulture));
    }

    private static ColumnKinds OfNumber(string digits)
    {
        bool isWhole = long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);
        bool isExact = IsExact(digits, out _);
        return (isWhole, isExact) switch
        {
            (true, true) => ColumnKinds.Whole,
            (true, false) => ColumnKinds.LargeWhole,
            (false, true) => ColumnKinds.Number,
            _ => ColumnKinds.Other,
        };
    }

    // The digits without sign, point, exponent, and zeros on either side.
    private static string Significant(string number)
    {
        int end = number.AsSpan().IndexOfAny('e', 'E');
        return string.Concat((end < 0 ? number : number[..end]).Where(char.IsAsciiDigit)).Trim('0');
    }
}
