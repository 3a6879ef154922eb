using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Cuts an output into blocks of whole lines.</summary>
/// <param name="file">The output. Another run may write to it meanwhile.</param>
internal sealed class OutputBlocks(SafeFileHandle file)
{
    private const int BlockBytes = 1 << 20;
    private const byte LineFeed = (byte)'\n';

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(BlockBytes);
    private long _offset; // of the first byte in the buffer
    private int _length;
    private bool _isAtEnd;

    /// <summary>Reads the next block. The last one may end without LF.</summary>
    public bool TryTake([NotNullWhen(true)] out OutputBlock? block)
    {
        block = null;
        int scanned = 0;
        while (!_isAtEnd)
        {
            int read = RandomAccess.Read(file, _buffer.AsSpan(_length), _offset + _length);
            _length += read;
            _isAtEnd = read == 0;
            int end = _isAtEnd ? _length : scanned + _buffer.AsSpan(scanned, _length - scanned).LastIndexOf(LineFeed) + 1;
            if (end > scanned || (_isAtEnd && end > 0))
            {
                block = Take(end);
                return true;
            }

            scanned = _length;
            Grow();
        }

        return false;
    }

    private OutputBlock Take(int end)
    {
        var block = new OutputBlock(_buffer, end, _offset);
        byte[] next = ArrayPool<byte>.Shared.Rent(Math.Max(BlockBytes, 2 * (_length - end)));
        _buffer.AsSpan(end, _length - end).CopyTo(next);
        _buffer = next;
        _offset += end;
        _length -= end;
        return block;
    }

    private void Grow()
    {
        if (_length < _buffer.Length)
        {
            return;
        }

        int larger = _length < Array.MaxLength
            ? (int)Math.Min(2L * _length, Array.MaxLength)
            : throw new IOException("A line is longer than 2 GB: the file is not the output of a run.");
        byte[] next = ArrayPool<byte>.Shared.Rent(larger);
        _buffer.AsSpan(0, _length).CopyTo(next);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = next;
    }
}
