using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace FastLLM.Requests;

/// <summary>Decompresses a gzip file of any number of members, and accepts nothing but zeros between and behind them.</summary>
/// <remarks>.NET's own stream ends without an error where a member has a damaged header, so that the rest of a file would be
/// missing.</remarks>
internal sealed class GzipMembers(Stream inner) : ReadOnlyStream(inner)
{
    private readonly GzipSource _source = new(inner);
    private readonly Crc32 _checksum = new();
    private DeflateStream? _member;
    private uint _length;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read it asynchronously.");

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty && (_member is not null || await BeginAsync(cancellationToken).ConfigureAwait(false)))
        {
            int read = await DecompressAsync(_member!, buffer, cancellationToken).ConfigureAwait(false);
            if (read > 0)
            {
                _checksum.Append(buffer.Span[..read]);
                _length += (uint)read; // modulo 2^32, as in the file
                return read;
            }

            await EndAsync(_member!, cancellationToken).ConfigureAwait(false);
        }

        return 0;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _member?.Dispose();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<int> DecompressAsync(DeflateStream member, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await member.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException e)
        {
            throw _source.Damaged(e);
        }
    }

    private async ValueTask<bool> BeginAsync(CancellationToken cancellationToken)
    {
        if (!await _source.SkipZerosAsync(cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        await _source.ReadHeaderAsync(cancellationToken).ConfigureAwait(false);
        _member = new DeflateStream(_source, CompressionMode.Decompress, leaveOpen: true);
        return true;
    }

    // A DeflateStream reads ahead, and does not say where its data ended. The checksum and the length follow there, in the last bytes that
    // it was given or directly behind them.
    private async ValueTask EndAsync(DeflateStream member, CancellationToken cancellationToken)
    {
        byte[] trailer = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(trailer, _checksum.GetCurrentHashAsUInt32());
        BinaryPrimitives.WriteUInt32LittleEndian(trailer.AsSpan(4), _length);
        if (!await _source.SkipPastAsync(trailer, cancellationToken).ConfigureAwait(false))
        {
            throw _source.Damaged();
        }

        await member.DisposeAsync().ConfigureAwait(false);
        _checksum.Reset();
        (_member, _length) = (null, 0);
    }
}
