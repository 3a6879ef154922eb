using System.Globalization;
using System.IO.Compression;

namespace FastLLM.Jobs.Workbooks;

/// <summary>Knows which cell styles of a workbook show a number as a date or a time.</summary>
internal sealed class NumberFormats
{
    private const long MaxBytes = 64L << 20;

    private readonly List<NumberKind> _styles = [];

    private NumberFormats()
    {
    }

    /// <summary>Reads the styles of a workbook.</summary>
    public static NumberFormats Read(ZipArchive zip, string part)
    {
        var formats = new NumberFormats();
        using BoundedXml? styles = BoundedXml.Open(zip, part, MaxBytes);
        var custom = new Dictionary<int, NumberKind>();
        var isCell = false;
        while (styles?.Read() == true)
        {
            if (styles.Xml.LocalName == "cellXfs")
            {
                isCell = styles.Xml.NodeType == System.Xml.XmlNodeType.Element && !styles.Xml.IsEmptyElement;
            }
            else if (styles.Xml.NodeType == System.Xml.XmlNodeType.Element && styles.Xml.LocalName == "numFmt")
            {
                custom[Number(styles.Attribute("numFmtId"))] = KindOf(styles.Attribute("formatCode") ?? "");
            }
            else if (isCell && styles.Xml.NodeType == System.Xml.XmlNodeType.Element && styles.Xml.LocalName == "xf")
            {
                int id = Number(styles.Attribute("numFmtId"));
                formats._styles.Add(custom.TryGetValue(id, out NumberKind kind) ? kind : BuiltIn(id));
            }
        }

        return formats;
    }

    /// <summary>Gets what the style of a cell shows its number as.</summary>
    public NumberKind KindOf(int style) => style >= 0 && style < _styles.Count ? _styles[style] : NumberKind.Number;

    /// <summary>Gets what a format code shows a number as.</summary>
    internal static NumberKind KindOf(string code)
    {
        (bool isDate, bool isTime, bool hasMonth) = (false, false, false);
        for (var i = 0; i < code.Length && code[i] != ';'; i++)
        {
            switch (char.ToLowerInvariant(code[i]))
            {
                case '"':
                    i = End(code, i + 1, '"');
                    break;
                case '\\' or '_' or '*':
                    i++;
                    break;
                case '[':
                    int end = End(code, i + 1, ']');
                    isTime |= code[(i + 1)..Math.Min(end, code.Length)].ToUpperInvariant().Trim('H', 'M', 'S') is "" && end > i + 1;
                    i = end;
                    break;
                case 'y' or 'd':
                    isDate = true;
                    break;
                case 'h' or 's':
                    isTime = true;
                    break;
                case 'm':
                    hasMonth = true;
                    break;
                case 'g' when string.Compare(code, i, "General", 0, 7, StringComparison.OrdinalIgnoreCase) == 0:
                    i += 6;
                    break;
            }
        }

        return isDate || (hasMonth && !isTime) ? NumberKind.Date : isTime ? NumberKind.Time : NumberKind.Number;
    }

    private static NumberKind BuiltIn(int id) => id switch
    {
        (>= 14 and <= 17) or 22 or (>= 27 and <= 31) or 36 or (>= 50 and <= 54) or 57 or 58 => NumberKind.Date,
        (>= 18 and <= 21) or (>= 32 and <= 35) or (>= 45 and <= 47) or 55 or 56 => NumberKind.Time,
        _ => NumberKind.Number,
    };

    private static int End(string code, int from, char end) =>
        from < code.Length && code.IndexOf(end, from) is >= 0 and var at ? at : code.Length;

    private static int Number(string? text) => int.TryParse(text, CultureInfo.InvariantCulture, out int number) ? number : 0;
}

/// <summary>Specifies what a number is shown as.</summary>
internal enum NumberKind
{
    Number,
    Date,
    Time,
}
