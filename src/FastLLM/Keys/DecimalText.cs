using System.Globalization;
using FastLLM.Json;

namespace FastLLM.Keys;

/// <summary>Writes a JSON number as the only canonical text of its exact decimal value.</summary>
/// <remarks>
/// Text in, text out: no <see cref="double"/>, so no digit is lost, and no zero is written that an exponent only implies.
/// </remarks>
internal static class DecimalText
{
    private const int MaxPlainDigits = 30;
    private const long MaxExponent = 1_000_000_000;

    /// <summary>Appends the canonical form of a number.</summary>
    /// <param name="output">The buffer to append to.</param>
    /// <param name="number">A number that is valid JSON.</param>
    /// <returns><see langword="false"/>, and nothing written, if its exponent is out of bounds once there is one digit before the
    /// point.</returns>
    public static bool TryAppend(ByteBuffer output, ReadOnlySpan<byte> number)
    {
        if (IsCanonical(number))
        {
            output.Append(number);
            return true;
        }

        bool negative = number[0] == '-';
        ReadOnlySpan<byte> mantissa = negative ? number[1..] : number;
        long exponent = 0;
        int e = mantissa.IndexOfAny((byte)'e', (byte)'E');
        if (e >= 0)
        {
            exponent = ReadExponent(mantissa[(e + 1)..]);
            mantissa = mantissa[..e];
        }

        int point = mantissa.IndexOf((byte)'.');
        point = point < 0 ? mantissa.Length : point;
        int first = mantissa.IndexOfAnyExcept((byte)'0', (byte)'.');
        if (first < 0)
        {
            output.Append((byte)'0'); // -0 and 0e99 are 0
            return true;
        }

        // The value is d.ddd × 10^exponent, its digits without zeros at either end: those of `head`, then those of `tail`.
        exponent += first < point ? point - 1 - first : point - first;
        if (Math.Abs(exponent) > MaxExponent)
        {
            return false;
        }

        int end = mantissa.LastIndexOfAnyExcept((byte)'0', (byte)'.') + 1;
        ReadOnlySpan<byte> head = first < point ? mantissa[first..Math.Min(point, end)] : [];
        ReadOnlySpan<byte> tail = end > point ? mantissa[Math.Max(point + 1, first)..end] : [];
        int count = head.Length + tail.Length;

        if (negative)
        {
            output.Append((byte)'-');
        }

        long plainDigits = exponent < 0 ? count - exponent : Math.Max(count, exponent + 1);
        if (plainDigits > MaxPlainDigits)
        {
            AppendDigits(output, head, tail, 1);
            AppendExponent(output, (int)exponent);
        }
        else if (exponent < 0)
        {
            output.Append("0."u8);
            output.Append((int)-exponent - 1).Fill((byte)'0');
            AppendDigits(output, head, tail, count);
        }
        else
        {
            int integerDigits = (int)exponent + 1;
            AppendDigits(output, head, tail, Math.Min(integerDigits, count));
            output.Append(Math.Max(0, integerDigits - count)).Fill((byte)'0');
        }

        return true;
    }

    // True for nearly all numbers of real bodies (0.7, 256); false means "look closer", not "no".
    private static bool IsCanonical(ReadOnlySpan<byte> number)
    {
        if (number.Length > MaxPlainDigits)
        {
            return false;
        }

        bool hasPoint = false;
        foreach (byte b in number)
        {
            if (b is (byte)'e' or (byte)'E')
            {
                return false;
            }

            hasPoint |= b == '.';
        }

        return hasPoint ? number[^1] != '0' : number is not [(byte)'-', (byte)'0'];
    }

    // The digits, with a point after `beforePoint` of them unless none would follow it.
    private static void AppendDigits(ByteBuffer output, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, int beforePoint)
    {
        int count = head.Length + tail.Length;
        bool hasPoint = beforePoint < count;
        Span<byte> text = output.Append(hasPoint ? count + 1 : count);
        Span<byte> digits = hasPoint ? text[1..] : text;
        head.CopyTo(digits);
        tail.CopyTo(digits[head.Length..]);
        if (hasPoint)
        {
            digits[..beforePoint].CopyTo(text);
            text[beforePoint] = (byte)'.';
        }
    }

    private static void AppendExponent(ByteBuffer output, int exponent)
    {
        Span<byte> digits = stackalloc byte[10];
        Math.Abs(exponent).TryFormat(digits, out int length, provider: CultureInfo.InvariantCulture);
        output.Append(exponent < 0 ? "e-"u8 : "e+"u8);
        output.Append(digits[..length]);
    }

    private static long ReadExponent(ReadOnlySpan<byte> text)
    {
        bool negative = text[0] == '-';
        long value = 0;
        foreach (byte digit in text[(text[0] is (byte)'-' or (byte)'+' ? 1 : 0)..])
        {
            // No mantissa that fits in memory brings such an exponent back into its bounds.
            value = Math.Min((value * 10) + (digit - '0'), long.MaxValue / 100);
        }

        return negative ? -value : value;
    }
}
