namespace FastLLM.TestKit;

/// <summary>A stream whose bytes come in just these pieces: a read never gets more than one of them.</summary>
public sealed class PiecesStream(IEnumerable<byte[]> pieces) : Stream
{
    private readonly Queue<ReadOnlyMemory<byte>> _pieces = new(pieces.Where(piece => piece.Length > 0).Select(piece => (ReadOnlyMemory<byte>)piece));

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        if (!_pieces.TryDequeue(out ReadOnlyMemory<byte> piece))
        {
            return 0;
        }

        if (piece.Length > buffer.Length)
        {
            // What does not fit comes with the next read.
            ReadOnlyMemory<byte>[] rest = [piece[buffer.Length..], .. _pieces];
            _pieces.Clear();
            foreach (ReadOnlyMemory<byte> later in rest)
            {
                _pieces.Enqueue(later);
            }

            piece = piece[..buffer.Length];
        }

        piece.Span.CopyTo(buffer);
        return piece.Length;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
