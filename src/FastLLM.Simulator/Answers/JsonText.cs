using System.Globalization;
using System.Text;

namespace FastLLM.Simulator.Answers;

/// <summary>Measures, cuts and decodes the text of a JSON string without its quotes, as it is in a valid request.</summary>
/// <remarks>A lone surrogate, which JSON can escape but UTF-8 cannot hold, counts and decodes as U+FFFD.</remarks>
internal static class JsonText
{
    /// <summary>Computes the length of the text in bytes of UTF-8.</summary>
    public static int DecodedLength(ReadOnlySpan<byte> escaped)
    {
        int length = 0;
        while (true)
        {
            int plain = escaped.IndexOf((byte)'\\');
            if (plain < 0)
            {
                return length + escaped.Length;
            }

            int used = ReadEscape(escaped[plain..], out Rune rune);
            length += plain + rune.Utf8SequenceLength;
            escaped = escaped[(plain + used)..];
        }
    }

    /// <summary>Computes how many bytes hold the first <paramref name="limit"/> bytes of the text, without cutting a character.</summary>
    public static int Cut(ReadOnlySpan<byte> escaped, long limit)
    {
        int at = 0;
        while (at < escaped.Length)
        {
            int used;
            int decoded;
            if (escaped[at] == '\\')
            {
                used = ReadEscape(escaped[at..], out Rune rune);
                decoded = rune.Utf8SequenceLength;
            }
            else
            {
                Rune.DecodeFromUtf8(escaped[at..], out _, out used);
                decoded = used;
            }

            limit -= decoded;
            if (limit < 0)
            {
                break;
            }

            at += used;
        }

        return at;
    }

    public static byte[] Decode(ReadOnlySpan<byte> escaped)
    {
        var text = new byte[DecodedLength(escaped)];
        Span<byte> rest = text;
        while (true)
        {
            int plain = escaped.IndexOf((byte)'\\');
            if (plain < 0)
            {
                escaped.CopyTo(rest);
                return text;
            }

            escaped[..plain].CopyTo(rest);
            int used = ReadEscape(escaped[plain..], out Rune rune);
            rest = rest[(plain + rune.EncodeToUtf8(rest[plain..]))..];
            escaped = escaped[(plain + used)..];
        }
    }

    private static int ReadEscape(ReadOnlySpan<byte> escaped, out Rune rune)
    {
        if (escaped[1] != 'u')
        {
            rune = new Rune((char)(escaped[1] switch
            {
                (byte)'b' => '\b',
                (byte)'f' => '\f',
                (byte)'n' => '\n',
                (byte)'r' => '\r',
                (byte)'t' => '\t',
                byte itself => (char)itself,
            }));
            return 2;
        }

        char first = Unit(escaped);
        if (Rune.TryCreate(first, out rune))
        {
            return 6;
        }

        if (escaped.Length >= 12 && escaped[6] == '\\' && escaped[7] == 'u' && Rune.TryCreate(first, Unit(escaped[6..]), out rune))
        {
            return 12;
        }

        rune = Rune.ReplacementChar;
        return 6;
    }

    private static char Unit(ReadOnlySpan<byte> escape) =>
        (char)ushort.Parse(escape.Slice(2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
