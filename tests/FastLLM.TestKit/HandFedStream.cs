namespace FastLLM.TestKit;

/// <summary>A stream that the test feeds by hand, and that tells when its reader has taken all and waits for more.</summary>
public sealed class HandFedStream : Stream
{
    private readonly Lock _gate = new();
    private readonly Queue<byte[]> _fed = new();
    private TaskCompletionSource _hungry = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource? _more;
    private int _at;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Gives the reader some bytes, and waits until it wants more. No bytes are the end.</summary>
    public async Task FeedAsync(byte[] bytes, CancellationToken cancellationToken)
    {
        await WaitForReaderAsync(cancellationToken);
        lock (_gate)
        {
            _fed.Enqueue(bytes);
            _hungry = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _more!.TrySetResult();
        }

        if (bytes.Length > 0)
        {
            await WaitForReaderAsync(cancellationToken);
        }
    }

    /// <summary>Completes when the reader waits for bytes.</summary>
    public Task WaitForReaderAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return _hungry.Task.WaitAsync(cancellationToken);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task more;
            lock (_gate)
            {
                if (_fed.TryPeek(out byte[]? bytes))
                {
                    int count = Math.Min(bytes.Length - _at, buffer.Length);
                    bytes.AsSpan(_at, count).CopyTo(buffer.Span);
                    _at += count;
                    if (_at == bytes.Length)
                    {
                        _fed.Dequeue();
                        _at = 0;
                    }

                    return count;
                }

                _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
                more = _more.Task;
                _hungry.TrySetResult();
            }

            await more.WaitAsync(cancellationToken);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
