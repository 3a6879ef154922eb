using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;

namespace FastLLM.Simulator.Answers;

/// <summary>Writes JSON, compact or pretty-printed as OpenAI does, into a buffer that is used again.</summary>
/// <remarks>Unlike <c>Utf8JsonWriter</c> it takes escaped strings: what comes from a request is copied, not decoded and encoded.</remarks>
internal sealed class JsonOut
{
    private const int Kept = 1 << 20; // larger buffers are left to the collector

    [ThreadStatic]
    private static JsonOut? t_free;

    private byte[] _bytes = new byte[4096];
    private bool _compactAsked;
    private bool _compact;
    private int _depth;
    private bool _first;

    private JsonOut()
    {
    }

    /// <summary>Gets or sets the number of bytes written; lower it to cut the end off.</summary>
    public int Length { get; set; }

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public ReadOnlySpan<byte> From(int start) => _bytes.AsSpan(start, Length - start);

    public static JsonOut Rent(bool compact)
    {
        JsonOut output = t_free ?? new JsonOut();
        t_free = null;
        output._compactAsked = compact;
        output.Restart();
        return output;
    }

    /// <summary>Gets a value indicating whether the answer has no white space.</summary>
    public bool IsCompact => _compact;

    /// <summary>Writes without white space from now on, until the next <see cref="Restart"/>.</summary>
    public void MakeCompact() => _compact = true;

    public void Restart()
    {
        Length = 0;
        _compact = _compactAsked;
        _depth = 0;
        _first = true;
    }

    [SuppressMessage("Performance", "CA1822", Justification = "Gives this very object back.")]
    public void Return()
    {
        if (_bytes.Length <= Kept)
        {
            t_free = this;
        }
    }

    public void Open(char bracket)
    {
        Raw((byte)bracket);
        _depth++;
        _first = true;
    }

    public void Close(char bracket)
    {
        _depth--;
        if (!_first)
        {
            NewLine();
        }

        Raw((byte)bracket);
        _first = false;
    }

    /// <summary>Begins the next element of an array.</summary>
    public void Next()
    {
        if (!_first)
        {
            Raw((byte)',');
        }

        _first = false;
        NewLine();
    }

    public void Name(ReadOnlySpan<byte> escaped)
    {
        Next();
        String(escaped);
        Raw(_compact ? ":"u8 : ": "u8);
    }

    public void Member(ReadOnlySpan<byte> name, ReadOnlySpan<byte> escaped)
    {
        Name(name);
        String(escaped);
    }

    public void Member(ReadOnlySpan<byte> name, long number)
    {
        Name(name);
        Number(number);
    }

    public void Open(ReadOnlySpan<byte> name, char bracket)
    {
        Name(name);
        Open(bracket);
    }

    public void String(ReadOnlySpan<byte> escaped)
    {
        Raw((byte)'"');
        Raw(escaped);
        Raw((byte)'"');
    }

    public void StringOrNull(ReadOnlySpan<byte> escaped)
    {
        if (escaped.IsEmpty)
        {
            Raw("null"u8);
        }
        else
        {
            String(escaped);
        }
    }

    public void Number(long value)
    {
        value.TryFormat(Free(20), out int written);
        Length += written;
    }

    public void Number(float value)
    {
        value.TryFormat(Free(32), out int written, default, System.Globalization.CultureInfo.InvariantCulture);
        Length += written;
    }

    public void Hex(ulong value, int digits)
    {
        value.TryFormat(Free(16), out int written, digits == 16 ? "x16" : "x8");
        Length += written;
    }

    public void Base64(ReadOnlySpan<byte> bytes)
    {
        Span<byte> free = Free(System.Buffers.Text.Base64.GetMaxEncodedToUtf8Length(bytes.Length));
        System.Buffers.Text.Base64.EncodeToUtf8(bytes, free, out _, out int written);
        Length += written;
    }

    public void Raw(byte value)
    {
        Free(1)[0] = value;
        Length++;
    }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Free(bytes.Length));
        Length += bytes.Length;
    }

    private void NewLine()
    {
        if (_compact)
        {
            return;
        }

        int width = 1 + (2 * _depth);
        Span<byte> free = Free(width)[..width];
        free.Fill((byte)' ');
        free[0] = (byte)'\n';
        Length += width;
    }

    private Span<byte> Free(int atLeast)
    {
        if (_bytes.Length - Length < atLeast)
        {
            Array.Resize(ref _bytes, Math.Max(checked(Length + atLeast), (int)Math.Min(2L * _bytes.Length, Array.MaxLength)));
        }

        return _bytes.AsSpan(Length);
    }
}
