namespace FastLLM;

/// <summary>Keeps the bytes of bodies and answers that come one after the other in one array.</summary>
/// <remarks>
/// A million small arrays cost the garbage collector more than their bytes: it copies and marks each of them. What comes together is
/// mostly held and let go together, so it shares. The price: one answer that outlives its neighbours holds up to 128 KB of theirs.
/// </remarks>
internal static class ByteSlab
{
    // From 85,000 bytes on an array is never moved, and does not count towards the next collection of young objects.
    private const int SlabBytes = 128 * 1024;
    private const int LargeBytes = 8 * 1024;

    [ThreadStatic]
    private static byte[]? t_slab;

    [ThreadStatic]
    private static int t_used;

    /// <summary>Bytes that nobody else can reach, not cleared.</summary>
    public static Memory<byte> Take(int length)
    {
        if (length > LargeBytes)
        {
            return GC.AllocateUninitializedArray<byte>(length);
        }

        if (t_slab is null || SlabBytes - t_used < length)
        {
            t_slab = GC.AllocateUninitializedArray<byte>(SlabBytes);
            t_used = 0;
        }

        Memory<byte> taken = t_slab.AsMemory(t_used, length);
        t_used += length;
        return taken;
    }

    /// <summary>A copy that nobody else can reach.</summary>
    public static ReadOnlyMemory<byte> Copy(ReadOnlySpan<byte> bytes)
    {
        Memory<byte> copy = Take(bytes.Length);
        bytes.CopyTo(copy.Span);
        return copy;
    }
}
