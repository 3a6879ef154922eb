using System.Globalization;
using System.Text;
using System.Xml;

namespace FastLLM.Jobs.Workbooks;

/// <summary>Reads and writes text in the XML of workbooks, which has characters that XML lacks as <c>_xHHHH_</c>.</summary>
internal static class XmlText
{
    private const int CodeLength = 7; // _xHHHH_

    /// <summary>Reads the text of an element: that of its <c>t</c> elements, also of several runs, without phonetic hints.</summary>
    /// <param name="part">The reader, at the element; afterwards, it is at its end.</param>
    public static string OfRuns(BoundedXml part)
    {
        XmlReader xml = part.Xml;
        if (xml.IsEmptyElement)
        {
            return "";
        }

        var runs = new TextParts();
        int hint = int.MaxValue; // the depth of a phonetic hint
        for (int depth = xml.Depth; part.Read() && !(xml.NodeType == XmlNodeType.EndElement && xml.Depth == depth);)
        {
            if (xml.LocalName == "rPh")
            {
                hint = xml.NodeType == XmlNodeType.Element && !xml.IsEmptyElement ? xml.Depth : int.MaxValue;
            }
            else if (xml.NodeType == XmlNodeType.Element && xml.LocalName == "t" && xml.Depth < hint)
            {
                runs.Add(Of(part));
            }
        }

        return Decode(runs.ToString());
    }

    /// <summary>Reads the text of an element as it is; afterwards, the reader is at its end.</summary>
    public static string Of(BoundedXml part)
    {
        XmlReader xml = part.Xml;
        if (xml.IsEmptyElement)
        {
            return "";
        }

        var parts = new TextParts();
        for (int depth = xml.Depth; part.Read() && !(xml.NodeType == XmlNodeType.EndElement && xml.Depth == depth);)
        {
            if (xml.NodeType is XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.SignificantWhitespace or XmlNodeType.Whitespace)
            {
                parts.Add(xml.Value);
            }
        }

        return parts.ToString();
    }

    /// <summary>Replaces <c>_xHHHH_</c> by the characters.</summary>
    public static string Decode(string text)
    {
        int at = text.IndexOf("_x", StringComparison.Ordinal);
        if (at < 0)
        {
            return text;
        }

        var decoded = new StringBuilder(text.Length);
        int from = 0;
        for (; at >= 0; at = text.IndexOf("_x", at, StringComparison.Ordinal))
        {
            if (CodeAt(text, at) is { } c)
            {
                decoded.Append(text, from, at - from).Append(c);
                from = at += CodeLength;
            }
            else
            {
                at += 2;
            }
        }

        return decoded.Append(text, from, text.Length - from).ToString();
    }

    /// <summary>Appends text as the content of an element.</summary>
    public static void Append(StringBuilder xml, string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            char c = text[i];
            switch (c)
            {
                case '&':
                    xml.Append("&amp;");
                    break;
                case '<':
                    xml.Append("&lt;");
                    break;
                case '>':
                    xml.Append("&gt;");
                    break;
                case '_' when CodeAt(text, i) is not null:
                    xml.Append("_x005F_");
                    break;
                case (< ' ' and not ('\t' or '\n')) or '\uFFFE' or '\uFFFF':
                    xml.Append(CultureInfo.InvariantCulture, $"_x{(int)c:X4}_");
                    break;
                case var _ when char.IsSurrogate(c):
                    bool isPair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
                    xml.Append(isPair ? c : '\uFFFD');
                    if (isPair)
                    {
                        xml.Append(text[++i]);
                    }

                    break;
                default:
                    xml.Append(c);
                    break;
            }
        }
    }

    private static char? CodeAt(string text, int at) =>
        at + CodeLength <= text.Length && text[at + 1] == 'x' && text[at + CodeLength - 1] == '_'
        && ushort.TryParse(text.AsSpan(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort code)
            ? (char)code
            : null;

    /// <summary>Collects the parts of a text: nearly always there is one.</summary>
    private struct TextParts()
    {
        private string _text = "";
        private StringBuilder? _all;

        public void Add(string part)
        {
            if (_text.Length == 0)
            {
                _text = part;
                return;
            }

            _all = (_all ?? new StringBuilder(_text)).Append(part);
            if (_all.Length > BoundedXml.MaxNodeBytes)
            {
                throw new InvalidDataException($"A cell of the workbook is larger than {BoundedXml.MaxNodeBytes >> 20} MB.");
            }
        }

        public override readonly string ToString() => _all?.ToString() ?? _text;
    }
}
