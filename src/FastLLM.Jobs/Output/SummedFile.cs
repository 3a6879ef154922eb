using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Writes a new file and keeps a sum of its bytes, so that it can be read back before it takes the place of another one.</summary>
/// <remarks>If something else cuts a file while it is written, the rest is written where it would be, and zeros fill the gap: neither
/// identity nor length show that. The sum detects accidents, not forgeries.</remarks>
/// <param name="file">The file, open to be read and written, and empty. It stays open.</param>
internal sealed class SummedFile(FileStream file) : Stream
{
    private const int ChunkBytes = 1 << 20;

    private ulong _sum;
    private ulong _weighted;
    private long _end;

    public override bool CanRead => false;

    public override bool CanSeek => true;

    public override bool CanWrite => true;

    public override long Length => _end;

    public override long Position { get => file.Position; set => file.Position = value; }

    /// <summary>Flushes the file to the disk and reads it back.</summary>
    /// <exception cref="IOException">It does not hold what was written.</exception>
    public void FlushAndCheck()
    {
        file.Flush(flushToDisk: true);
        SafeFileHandle handle = file.SafeFileHandle;
        ulong sum = 0, weighted = 0;
        byte[] buffer = new byte[(int)Math.Clamp(_end, 1, ChunkBytes)];
        long at = 0;
        for (; RandomAccess.Read(handle, buffer, at) is > 0 and var read; at += read)
        {
            Add(buffer.AsSpan(0, read), at, ref sum, ref weighted);
        }

        if ((at, sum, weighted) != (_end, _sum, _weighted))
        {
            throw new IOException($"Something else changed {file.Name} while it was written.");
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        long at = file.Position;
        if (at < _end)
        {
            TakeBack(at, (int)Math.Min(buffer.Length, _end - at));
        }

        Add(buffer, at, ref _sum, ref _weighted);
        file.Write(buffer);
        _end = Math.Max(_end, at + buffer.Length);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Write(buffer.Span);
        return default;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush() => file.Flush();

    public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

    public override void SetLength(long value) => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    // A writer of archives goes back once for each part, and writes its length.
    private void TakeBack(long at, int count)
    {
        file.Flush();
        byte[] old = new byte[count];
        for (int got = 0, read; got < count; got += read)
        {
            read = RandomAccess.Read(file.SafeFileHandle, old.AsSpan(got), at + got);
            if (read == 0)
            {
                throw new IOException($"Something else cut {file.Name} while it was written.");
            }
        }

        ulong sum = 0, weighted = 0;
        Add(old, at, ref sum, ref weighted);
        (_sum, _weighted) = (_sum - sum, _weighted - weighted);
    }

    // The bytes, and the bytes times their places from 1. Eight at a time: every byte of an answer passes here twice. Four bytes fit in one
    // word with room for their sums; multiplied by four weights, its highest part is the sum of their products.
    private static void Add(ReadOnlySpan<byte> bytes, long at, ref ulong sum, ref ulong weighted)
    {
        const ulong OneOfTwo = 0x00FF_00FF_00FF_00FF;
        (ulong plain, ulong places, ulong place) = (sum, weighted, (ulong)at);
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..], place += sizeof(ulong))
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            (ulong odd, ulong even) = (word & OneOfTwo, (word >> 8) & OneOfTwo);
            ulong eight = ((odd + even) * 0x0001_0001_0001_0001) >> 48;
            plain += eight;
            places += (place * eight) + ((odd * 0x0001_0003_0005_0007) >> 48) + ((even * 0x0002_0004_0006_0008) >> 48);
        }

        foreach (byte value in bytes)
        {
            plain += value;
            places += value * ++place;
        }

        (sum, weighted) = (plain, places);
    }
}
