namespace FastLLM.Json;

/// <summary>Keeps the bytes of bodies and answers that come one after the other in one array.</summary>
/// <remarks>
/// A million small arrays cost the garbage collector more than their bytes: it copies and marks each of them. What comes together is
/// mostly held and let go together, so it shares. The price: one answer that outlives its neighbours holds up to 128 KB of theirs.
/// Requests have slabs of their own for that reason: in a stream a cache keeps the answers and nobody the requests between them.
/// </remarks>
internal sealed class ChunkedAllocator
{
    // From 85,000 bytes on an array is never moved, and does not count towards the next collection of young objects.
    private const int SlabBytes = 128 * 1024;
    private const int LargeBytes = 8 * 1024;

    [ThreadStatic]
    private static ChunkedAllocator? t_requests;

    [ThreadStatic]
    private static ChunkedAllocator? t_answers;

    private byte[] _slab = [];
    private int _used;

    private ChunkedAllocator()
    {
    }

    /// <summary>Gets this thread's slab for what is sent.</summary>
    public static ChunkedAllocator Requests => t_requests ??= new ChunkedAllocator();

    /// <summary>Gets this thread's slab for what is received.</summary>
    public static ChunkedAllocator Answers => t_answers ??= new ChunkedAllocator();

    /// <summary>Bytes that nobody else can reach, not cleared.</summary>
    public Memory<byte> Take(int length)
    {
        if (length > LargeBytes)
        {
            return GC.AllocateUninitializedArray<byte>(length);
        }

        if (_slab.Length - _used < length)
        {
            _slab = GC.AllocateUninitializedArray<byte>(SlabBytes);
            _used = 0;
        }

        Memory<byte> taken = _slab.AsMemory(_used, length);
        _used += length;
        return taken;
    }

    /// <summary>A copy that nobody else can reach.</summary>
    public ReadOnlyMemory<byte> Copy(ReadOnlySpan<byte> bytes)
    {
        Memory<byte> copy = Take(bytes.Length);
        bytes.CopyTo(copy.Span);
        return copy;
    }
}
