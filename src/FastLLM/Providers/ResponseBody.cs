using System.Net;
using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Represents the body of an HTTP response as far as it was read.</summary>
/// <param name="Bytes">The bytes.</param>
/// <param name="IsTooLarge">Whether there are more than may be; then there are no bytes.</param>
/// <param name="Cut">Why the rest did not arrive; <see langword="null"/> if nothing is missing.</param>
internal readonly record struct ReceivedBody(ReadOnlyMemory<byte> Bytes, bool IsTooLarge = false, Exception? Cut = null)
{
    /// <summary>Returns whether an exception while a body is read means that the connection was lost.</summary>
    public static bool IsCut(Exception exception, CancellationToken cancellationToken) =>
        exception is IOException or HttpRequestException && !cancellationToken.IsCancellationRequested;
}

/// <summary>Reads the body of an HTTP response up to a maximum size.</summary>
internal static class ResponseBody
{
    /// <summary>The largest <c>Content-Length</c> that is trusted; the bytes are then read directly into their final place.</summary>
    private const int BelievedBytes = 1 << 20;

    /// <summary>Reads to the end, or as far as it arrives.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<ReceivedBody> ReadAsync(HttpResponseMessage response, long most, Attempt? attempt,
        CancellationToken cancellationToken)
    {
        // What follows belongs to another protocol, and its end may never come.
        if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
        {
            return default;
        }

        HttpContent content = response.Content;
        long? told = content.Headers.ContentLength;
        if (told > most)
        {
            return new ReceivedBody(default, IsTooLarge: true);
        }

        Stream stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        return told is { } length and <= BelievedBytes
            ? await ReadKnownAsync(stream, (int)length, attempt, cancellationToken).ConfigureAwait(false)
            : await ReadUnknownAsync(stream, told, most, attempt, content, cancellationToken).ConfigureAwait(false);
    }

    // The handler throws if the stream ends before the announced length.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<ReceivedBody> ReadKnownAsync(Stream stream, int length, Attempt? attempt,
        CancellationToken cancellationToken)
    {
        await ResponseMemory.TakeAsync(attempt, length, cancellationToken).ConfigureAwait(false);
        Memory<byte> body = ChunkedAllocator.Answers.Take(length);
        int read = 0;
        Exception? cut = null;
        try
        {
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
        }
        catch (Exception e) when (ReceivedBody.IsCut(e, cancellationToken))
        {
            cut = e;
        }

        return new ReceivedBody(body[..read], Cut: cut);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<ReceivedBody> ReadUnknownAsync(Stream stream, long? told, long most, Attempt? attempt,
        HttpContent content, CancellationToken cancellationToken)
    {
        var buffer = new BodyBuffer(told);
        Exception? cut = null;
        try
        {
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
                        return new ReceivedBody(default, IsTooLarge: true);
                    }
                }
            }
            catch (Exception e) when (ReceivedBody.IsCut(e, cancellationToken))
            {
                cut = e;
            }

            await ResponseMemory.TakeAsync(attempt, buffer.PeakCapacity, cancellationToken).ConfigureAwait(false);
            ReadOnlyMemory<byte> body = buffer.ToBody();
            attempt?.Memory?.Shrink(body.Length);
            return new ReceivedBody(body, Cut: cut);
        }
        finally
        {
            buffer.Dispose();
        }
    }

    /// <summary>Returns whether a body is a stream of events according to its headers.</summary>
    public static bool IsOfEvents(HttpContent content) => content.Headers.ContentType?.MediaType == "text/event-stream";

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
