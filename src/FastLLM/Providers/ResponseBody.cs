using System.Buffers;
using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Reads the body of an HTTP response up to a maximum size.</summary>
internal static class ResponseBody
{
    private const int FirstBytes = 4 * 1024;

    /// <summary>The largest <c>Content-Length</c> that is trusted; the bytes are then read directly into their final place.</summary>
    private const int BelievedBytes = 1 << 20;

    /// <summary>Reads to the end.</summary>
    /// <returns>The bytes; <see langword="null"/> if there are more than <paramref name="most"/>.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpContent content, long most, Attempt? attempt,
        CancellationToken cancellationToken)
    {
        long? told = content.Headers.ContentLength;
        if (told > most)
        {
            return null;
        }

        Stream stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        return told is { } length and <= BelievedBytes
            ? await ReadKnownAsync(stream, (int)length, attempt, cancellationToken).ConfigureAwait(false)
            : await ReadUnknownAsync(stream, most, attempt, cancellationToken).ConfigureAwait(false);
    }

    // The handler throws if the stream ends before the announced length.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<ReadOnlyMemory<byte>> ReadKnownAsync(Stream stream, int length, Attempt? attempt,
        CancellationToken cancellationToken)
    {
        Memory<byte> body = ChunkedAllocator.Answers.Take(length);
        int read = 0;
        while (read < length)
        {
            Memory<byte> free = read == 0 && KillPoint.IsArmed(KillPoint.MidResponseBody) ? body[..((length / 2) + 1)] : body[read..];
            int more = await stream.ReadAsync(free, cancellationToken).ConfigureAwait(false);
            if (more == 0)
            {
                break;
            }

            read += more;
            attempt?.Touch();
            if (read < length)
            {
                KillPoint.Reached(KillPoint.MidResponseBody);
            }
        }

        return body[..read];
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<ReadOnlyMemory<byte>?> ReadUnknownAsync(Stream stream, long most, Attempt? attempt,
        CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
        try
        {
            int read = 0;
            while (true)
            {
                int more = await stream.ReadAsync(buffer.AsMemory(read), cancellationToken).ConfigureAwait(false);
                if (more == 0)
                {
                    return ChunkedAllocator.Answers.Copy(buffer.AsSpan(0, read));
                }

                read += more;
                if (read > most)
                {
                    return null;
                }

                attempt?.Touch();
                if (read == buffer.Length)
                {
                    byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan().CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
