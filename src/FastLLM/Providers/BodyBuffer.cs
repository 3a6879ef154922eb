using System.Buffers;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Collects a body in pieces, so that nothing is copied while it grows. Dispose it to return the pieces to the pool.</summary>
/// <remarks>An announced length is trusted once half of it has arrived: from then on bytes are copied to their final place. They are not
/// read there directly, since a socket keeps the array that it read into last for as long as its connection is idle.</remarks>
/// <param name="announced">The <c>Content-Length</c>, if known.</param>
internal struct BodyBuffer(long? announced) : IDisposable
{
    private const int FirstBytes = 4 * 1024;
    private const int MaxPiece = 1 << 20;

    private List<byte[]>? _full;
    private byte[] _piece = ArrayPool<byte>.Shared.Rent(FirstBytes);
    private int _used;
    private byte[]? _whole;

    /// <summary>Gets how many bytes have arrived.</summary>
    public long Length { get; private set; }

    /// <summary>Gets how many bytes of memory are in use.</summary>
    public long Capacity { get; private set; } = FirstBytes;

    /// <summary>Gets how many bytes of memory are in use at most when <see cref="Room"/> returns.</summary>
    public readonly long NextCapacity => _whole is not null || _used < _piece.Length ? Capacity : Capacity + NextPiece();

    /// <summary>Gets how many bytes of memory are in use at most while <see cref="ToBody"/> runs.</summary>
    public readonly long PeakCapacity => _whole is not null ? Capacity : Capacity + Length;

    /// <summary>Gets the memory for the next bytes.</summary>
    public Memory<byte> Room()
    {
        if (_whole is null && _used == _piece.Length)
        {
            int next = NextPiece();
            if (next == announced)
            {
                byte[] whole = GC.AllocateUninitializedArray<byte>(next);
                CopyTo(whole);
                ReturnFull();
                (_whole, Capacity) = (whole, next + _piece.Length);
            }
            else
            {
                (_full ??= []).Add(_piece);
                (_piece, _used) = (ArrayPool<byte>.Shared.Rent(next), 0);
                Capacity += _piece.Length;
            }
        }

        return _whole is null ? _piece.AsMemory(_used) : _piece.AsMemory(0, (int)Math.Min(_piece.Length, announced!.Value - Length));
    }

    /// <summary>Adds bytes that were written to <see cref="Room"/>.</summary>
    /// <returns>Those bytes, valid until the next call.</returns>
    public ReadOnlySpan<byte> Take(int count)
    {
        ReadOnlySpan<byte> taken = _piece.AsSpan(_whole is null ? _used : 0, count);
        if (_whole is null)
        {
            _used += count;
        }
        else
        {
            taken.CopyTo(_whole.AsSpan((int)Length));
        }

        Length += count;
        return taken;
    }

    /// <summary>Returns the whole body.</summary>
    public readonly ReadOnlyMemory<byte> ToBody()
    {
        if (_whole is not null)
        {
            return _whole.AsMemory(0, (int)Length);
        }

        Memory<byte> body = ChunkedAllocator.Answers.Take((int)Length);
        CopyTo(body.Span);
        return body;
    }

    public void Dispose()
    {
        ReturnFull();
        if (_piece.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_piece);
            _piece = [];
        }
    }

    private void ReturnFull()
    {
        _full?.ForEach(static piece => ArrayPool<byte>.Shared.Return(piece));
        _full = null;
    }

    private readonly int NextPiece() => announced > Length && Length >= announced / 2
        ? (int)announced.Value
        : (int)Math.Clamp(Length, FirstBytes, MaxPiece);

    private readonly void CopyTo(Span<byte> target)
    {
        foreach (byte[] piece in _full ?? [])
        {
            piece.CopyTo(target);
            target = target[piece.Length..];
        }

        _piece.AsSpan(0, _used).CopyTo(target);
    }
}
