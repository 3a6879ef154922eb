using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Reads records by their offsets, through the last 16 MB of blocks that it has read.</summary>
/// <remarks>
/// Records stand in the order of their completion, which is nearly that of the rows: so each block is read once, as long as rows are in
/// flight together for less than 16 MB of records. A file in no order at all costs one small read a record. (A single
/// moving window took three to eight times as long on a file in nearly the right order.)
/// </remarks>
internal sealed class RecordReader(SafeFileHandle file)
{
    private const int BlockBytes = 16 * 1024;
    private const int Blocks = 1024;

    private readonly byte[] _blocks = new byte[BlockBytes * Blocks];
    private readonly (long Number, int Length)[] _known = new (long, int)[Blocks]; // numbers count from 1; 0 is none
    private byte[] _record = new byte[BlockBytes];

    /// <summary>Reads the record that begins at <paramref name="offset"/>, with its LF; the bytes are good until the next call.</summary>
    /// <exception cref="IOException">There is no whole record there.</exception>
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
            throw new IOException("A record is longer than 2 GB: this is no output file.");
        }

        if (length + part.Length > _record.Length)
        {
            Array.Resize(ref _record, (int)Math.Min(Array.MaxLength, 2L * (length + part.Length)));
        }

        part.CopyTo(_record.AsSpan(length));
    }

    // What stands from `offset` to the end of its block, at least one byte.
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
            : throw new IOException("The output file was changed while it was sorted.");
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
