namespace FastLLM.Json;

/// <summary>Represents bytes that grow at their end, in an array that is reused.</summary>
internal sealed class ByteBuffer
{
    /// <summary>The largest array that a thread keeps for its next key; a larger one is dropped after use.</summary>
    private const int MaxKept = 1 << 20;

    private byte[] _bytes = [];

    /// <summary>Gets the number of written bytes.</summary>
    public int Length { get; private set; }

    /// <summary>Gets the written bytes.</summary>
    public Span<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Gets the last written byte. There must be one.</summary>
    public byte Last => _bytes[Length - 1];

    /// <summary>Appends room for <paramref name="count"/> bytes, which the caller fills.</summary>
    public Span<byte> Append(int count)
    {
        int start = Length;
        EnsureFree(count);
        Length = start + count;
        return _bytes.AsSpan(start, count);
    }

    /// <summary>Appends bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Append(bytes.Length));

    /// <summary>Gets some of the written bytes.</summary>
    public ReadOnlySpan<byte> Slice(int start, int length) => _bytes.AsSpan(start, length);

    /// <summary>Appends one byte.</summary>
    public void Append(byte value)
    {
        EnsureFree(1);
        _bytes[Length++] = value;
    }

    /// <summary>Appends a comma, unless an object or list has just been opened.</summary>
    public void Separate(char opened)
    {
        if (Last != opened)
        {
            Append((byte)',');
        }
    }

    /// <summary>Appends the escaped name of a member, after a comma if it is not the first.</summary>
    public void AppendName(ReadOnlySpan<byte> name)
    {
        Separate('{');
        Append((byte)'"');
        Append(name);
        Append("\":"u8);
    }

    /// <summary>Makes room for <paramref name="count"/> more bytes.</summary>
    public void EnsureFree(int count)
    {
        if (_bytes.Length - Length < count)
        {
            Grow(count);
        }
    }

    /// <summary>Drops everything after the first <paramref name="length"/> bytes.</summary>
    public void Truncate(int length) => Length = length;

    /// <summary>Drops the written bytes, and an unusually large array.</summary>
    public void Reset()
    {
        Length = 0;
        if (_bytes.Length > MaxKept)
        {
            _bytes = [];
        }
    }

    private void Grow(int count)
    {
        // An empty buffer gets exactly what is requested, the length of the body, because large arrays are expensive. Later only
        // a number that is longer in its canonical form makes it grow.
        long needed = (long)Length + count;
        long capacity = Math.Max(needed, Math.Min(Length == 0 ? 4096 : needed + (needed / 4), Array.MaxLength));
        byte[] grown = GC.AllocateUninitializedArray<byte>(checked((int)capacity));
        Written.CopyTo(grown);
        _bytes = grown;
    }
}
