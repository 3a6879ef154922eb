using System.IO.Pipelines;

namespace FastLLM.TestKit;

/// <summary>A connection whose other end is the test: what comes is fed by hand, what goes is kept.</summary>
public sealed class DuplexStream : Stream
{
    private readonly Pipe _pipe = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
    private readonly MemoryStream _gone = new();
    private readonly Stream _coming;

    public DuplexStream() => _coming = _pipe.Reader.AsStream();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Gets what was written.</summary>
    public byte[] Written => _gone.ToArray();

    /// <summary>Hands bytes to whoever reads.</summary>
    public async Task FeedAsync(byte[] bytes, CancellationToken cancellationToken) => await _pipe.Writer.WriteAsync(bytes, cancellationToken);

    /// <summary>Closes the other end.</summary>
    public async Task EndAsync() => await _pipe.Writer.CompleteAsync();

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _coming.ReadAsync(buffer, cancellationToken);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _gone.WriteAsync(buffer, cancellationToken);

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _coming.Dispose();
            _gone.Dispose();
        }

        base.Dispose(disposing);
    }
}
