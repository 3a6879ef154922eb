namespace FastLLM.Json;

/// <summary>Allocates the bytes of consecutive bodies or responses from shared arrays.</summary>
/// <remarks>
/// A million small arrays cost the garbage collector more than their bytes: it copies and marks each of them. Bytes that arrive together
/// are mostly released together, so they share an array. The price: a response that outlives its neighbours keeps up to 128 KB of theirs
/// alive. Requests have chunks of their own for that reason: in a stream, a cache keeps the responses but not the requests between them.
/// </remarks>
internal sealed class ChunkedAllocator
{
    // An array of 85,000 bytes or more is never moved, and does not count towards the next collection of young objects.
    private const int ChunkBytes = 128 * 1024;
    private const int LargeBytes = 8 * 1024;

    [ThreadStatic]
    private static ChunkedAllocator? t_requests;

    [ThreadStatic]
    private static ChunkedAllocator? t_answers;

    private byte[] _chunk = [];
    private int _used;

    private ChunkedAllocator()
    {
    }

    /// <summary>Gets this thread's allocator for requests.</summary>
    public static ChunkedAllocator Requests => t_requests ??= new ChunkedAllocator();

    /// <summary>Gets this thread's allocator for responses.</summary>
    public static ChunkedAllocator Answers => t_answers ??= new ChunkedAllocator();

    /// <summary>Allocates bytes, not cleared.</summary>
    public Memory<byte> Take(int length)
    {
        if (length > LargeBytes)
        {
            return GC.AllocateUninitializedArray<byte>(length);
        }

        if (_chunk.Length - _used < length)
        {
            _chunk = GC.AllocateUninitializedArray<byte>(ChunkBytes);
            _used = 0;
        }

        Memory<byte> taken = _chunk.AsMemory(_used, length);
        _used += length;
        return taken;
    }

    /// <summary>Copies bytes.</summary>
    public ReadOnlyMemory<byte> Copy(ReadOnlySpan<byte> bytes)
    {
        Memory<byte> copy = Take(bytes.Length);
        bytes.CopyTo(copy.Span);
        return copy;
    }
}
