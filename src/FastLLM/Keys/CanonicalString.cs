using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Keys;

/// <summary>Writes the inside of a JSON string with the few escapes that JSON requires, and everything else as raw UTF-8.</summary>
internal static class CanonicalString
{
    /// <summary>Appends the canonical form of an escaped string, without its quotation marks.</summary>
    /// <param name="output">The buffer to append to.</param>
    /// <param name="escaped">The inside of a valid JSON string in valid UTF-8.</param>
    /// <param name="offset">Where <paramref name="escaped"/> begins in the body, for errors.</param>
    /// <exception cref="JsonException">The string has half of a surrogate pair.</exception>
    public static void Append(ByteBuffer output, ReadOnlySpan<byte> escaped, long offset)
    {
        output.EnsureFree(escaped.Length); // no escape is longer in its canonical form
        int copied = 0;
        int i = 0;
        while (true)
        {
            int next = escaped[i..].IndexOf((byte)'\\');
            if (next < 0)
            {
                output.Append(escaped[copied..]);
                return;
            }

            i += next;
            byte kind = escaped[i + 1];
            if (kind is not ((byte)'u' or (byte)'/'))
            {
                i += 2; // short escapes such as \n are canonical
                continue;
            }

            output.Append(escaped[copied..i]);
            if (kind == '/')
            {
                output.Append((byte)'/');
                i += 2;
            }
            else
            {
                AppendCodePoint(output, ReadCodePoint(escaped, ref i, offset));
            }

            copied = i;
        }
    }

    private static int ReadCodePoint(ReadOnlySpan<byte> escaped, ref int i, long offset)
    {
        int unit = ReadUnit(escaped, i);
        i += 6;
        if ((unit & 0xF800) != 0xD800)
        {
            return unit;
        }

        if (unit < 0xDC00 && escaped[i..].StartsWith("\\u"u8) && (ReadUnit(escaped, i) & 0xFC00) == 0xDC00)
        {
            int low = ReadUnit(escaped, i);
            i += 6;
            return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        }

        throw new JsonException(
            $"The body has half of a surrogate pair, \\u{unit:x4}, at byte {offset + i - 6}: no character is written so. "
            + $"Write the whole pair, or the character itself in UTF-8.");
    }

    private static int ReadUnit(ReadOnlySpan<byte> escaped, int i) =>
        int.Parse(escaped.Slice(i + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static void AppendCodePoint(ByteBuffer output, int value)
    {
        ReadOnlySpan<byte> escape = value switch
        {
            '"' => "\\\""u8,
            '\\' => "\\\\"u8,
            '\b' => "\\b"u8,
            '\f' => "\\f"u8,
            '\n' => "\\n"u8,
            '\r' => "\\r"u8,
            '\t' => "\\t"u8,
            _ => [],
        };
        if (!escape.IsEmpty)
        {
            output.Append(escape);
        }
        else if (value < 0x20)
        {
            output.Append("\\u00"u8);
            output.Append((byte)('0' + (value >> 4)));
            output.Append("0123456789abcdef"u8[value & 15]);
        }
        else
        {
            Span<byte> utf8 = stackalloc byte[4];
            output.Append(utf8[..new Rune(value).EncodeToUtf8(utf8)]);
        }
    }
}
