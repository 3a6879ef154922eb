using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Reads the body of an HTTP response up to a maximum size.</summary>
internal static class ResponseBody
{
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
            : await ReadUnknownAsync(stream, told, most, attempt, content, cancellationToken).ConfigureAwait(false);
    }

    // The handler throws if the stream ends before the announced length.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<ReadOnlyMemory<byte>> ReadKnownAsync(Stream stream, int length, Attempt? attempt,
        CancellationToken cancellationToken)
    {
        await ResponseMemory.TakeAsync(attempt, length, cancellationToken).ConfigureAwait(false);
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

            Touch(attempt, body.Span.Slice(read, more));
            read += more;
            if (read < length)
            {
                KillPoint.Reached(KillPoint.MidResponseBody);
            }
        }

        return body[..read];
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<ReadOnlyMemory<byte>?> ReadUnknownAsync(Stream stream, long? told, long most, Attempt? attempt,
        HttpContent content, CancellationToken cancellationToken)
    {
        var buffer = new BodyBuffer(told);
        try
        {
            while (buffer.Length != told)
            {
                await ResponseMemory.TakeAsync(attempt, buffer.NextCapacity, cancellationToken).ConfigureAwait(false);
                int more = await stream.ReadAsync(buffer.Room(), cancellationToken).ConfigureAwait(false);
                if (more == 0)
                {
                    break;
                }

                ReadOnlySpan<byte> taken = buffer.Take(more);
                if (!IsComments(taken) || !IsOfEvents(content))
                {
                    Touch(attempt, taken);
                }

                if (buffer.Length > most)
                {
                    return null;
                }
            }

            await ResponseMemory.TakeAsync(attempt, buffer.PeakCapacity, cancellationToken).ConfigureAwait(false);
            ReadOnlyMemory<byte> body = buffer.ToBody();
            attempt?.Memory?.Shrink(body.Length);
            return body;
        }
        finally
        {
            buffer.Dispose();
        }
    }

    private static bool IsOfEvents(HttpContent content) => content.Headers.ContentType?.MediaType == "text/event-stream";

    // Some servers send events that were not requested. Comments keep such a connection alive too.
    private static bool IsComments(ReadOnlySpan<byte> bytes)
    {
        while (bytes.TrimStart(" \t\r\n"u8) is [var first, ..] line)
        {
            if (first != (byte)':')
            {
                return false;
            }

            int end = line.IndexOf((byte)'\n');
            bytes = end < 0 ? default : line[end..];
        }

        return true;
    }

    // Blanks before a response keep the connection alive, but are no progress.
    private static void Touch(Attempt? attempt, ReadOnlySpan<byte> bytes)
    {
        if (bytes.ContainsAnyExcept(" \t\r\n"u8))
        {
            attempt?.Touch();
        }
    }
}
