using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Reads records by their offsets, through a cache of 16 MB.</summary>
/// <remarks>
/// Records are in the order of completion, which is nearly that of the rows: each block is read once if the records of concurrently sent
/// rows are within 16 MB. A file in random order costs one small read per record. (A single moving window took three to eight
/// times as long on a file in nearly the right order.)
/// </remarks>
internal sealed class RecordReader(SafeFileHandle file)
{
    private const int BlockBytes = 16 * 1024;
    private const int Blocks = 1024;

    private readonly byte[] _blocks = new byte[BlockBytes * Blocks];
    private readonly (long Number, int Length)[] _known = new (long, int)[Blocks]; // numbers count from 1; 0 means none
    private byte[] _record = new byte[BlockBytes];

    /// <summary>Reads the record at <paramref name="offset"/>, with its LF; the bytes are valid until the next call.</summary>
    /// <exception cref="IOException">There is no whole record at the offset.</exception>
    public ReadOnlySpan<byte> Read(long offset)
    {
        int length = 0;
        while (true)
        {
            ReadOnlySpan<byte> part = BlockFrom(offset + length);
            int end = part.IndexOf((byte)'\n') + 1;
            if (end > 0 && length == 0)
            {
                return part[..end];
            }

            part = end > 0 ? part[..end] : part;
            Append(part, length);
            length += part.Length;
            if (end > 0)
            {
                return _record.AsSpan(0, length);
            }
        }
    }

    private void Append(ReadOnlySpan<byte> part, int length)
    {
        if (length > Array.MaxLength - part.Length)
        {
            throw new IOException("A record is longer than 2 GB: the file is not the output of a run.");
        }

        if (length + part.Length > _record.Length)
        {
            Array.Resize(ref _record, (int)Math.Min(Array.MaxLength, 2L * (length + part.Length)));
        }

        part.CopyTo(_record.AsSpan(length));
    }

    // The bytes from the offset to the end of its block, at least one.
    private ReadOnlySpan<byte> BlockFrom(long offset)
    {
        (long number, long at) = Math.DivRem(offset, BlockBytes);
        int place = (int)(number % Blocks);
        Span<byte> block = _blocks.AsSpan(place * BlockBytes, BlockBytes);
        ref (long Number, int Length) known = ref _known[place];
        if (known.Number != number + 1)
        {
            known = default;
            known = (number + 1, Fill(block, number * BlockBytes));
        }

        return at < known.Length
            ? block[(int)at..known.Length]
            : throw new IOException("The output file was changed while it was read.");
    }

    private int Fill(Span<byte> block, long offset)
    {
        int length = 0;
        while (length < block.Length && RandomAccess.Read(file, block[length..], offset + length) is > 0 and int read)
        {
            length += read;
        }

        return length;
    }
}
