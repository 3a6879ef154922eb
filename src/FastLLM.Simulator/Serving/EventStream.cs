using System.IO.Pipelines;
using System.Text;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace FastLLM.Simulator.Serving;

/// <summary>Sends streamed answers: at once, or event by event at <see cref="SimulatorOptions.TokensPerSecond"/>.</summary>
internal sealed class EventStream(SimulatorOptions options, Counters counters, Admission admission)
{
    private static readonly StringValues s_eventStream = "text/event-stream; charset=utf-8";

    /// <summary>Sends the events, returns their buffer, and counts the request as answered just before its last bytes leave.</summary>
    /// <returns>Whether the connection took all of a good answer.</returns>
    public async ValueTask<bool> SendAsync(IFeatureCollection context, IHttpResponseFeature response, Send request, JsonOut output)
    {
        SimulatorFault fault = request.Fault;
        response.StatusCode = StatusCodes.Status200OK;
        response.Headers.ContentType = s_eventStream;
        bool cut = fault == SimulatorFault.Cut;
        if (cut)
        {
            // Framed here, so that the empty chunk at the end can be omitted.
            // Kestrel then closes when all is sent; a reset could overtake the events.
            response.Headers.TransferEncoding = "chunked";
            response.Headers.Connection = "close";
        }

        IHttpRequestLifetimeFeature lifetime = context.Get<IHttpRequestLifetimeFeature>()!;
        PipeWriter writer = context.Get<IHttpResponseBodyFeature>()!.Writer;
        TimeSpan duration = fault == SimulatorFault.ErrorInOk
            ? TimeSpan.Zero
            : SimulatorLatency.OfOutput(options, request.Facts.CompletionTokens);
        long start = options.TimeProvider.GetTimestamp();
        ReadOnlyMemory<byte> rest = cut ? output.Written[..(output.Length / 2)] : output.Written;
        bool left = false, billed = false;
        try
        {
            for (int i = 0; !rest.IsEmpty; i++)
            {
                int length = rest.Length;
                if (duration > TimeSpan.Zero)
                {
                    int end = rest.Span.IndexOf("\n\n"u8);
                    length = end < 0 ? length : end + 2;
                    TimeSpan wait = (duration * request.Facts.Progress(i)) - options.TimeProvider.GetElapsedTime(start);
                    double milliseconds = Math.Ceiling(wait.TotalMilliseconds - 1e-3); // less than a tick is nothing to wait for
                    if (milliseconds > 0)
                    {
                        await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), options.TimeProvider, lifetime.RequestAborted);
                    }
                }

                if (length == rest.Length)
                {
                    left = true;
                    admission.Leave(request, StatusCodes.Status200OK);
                    if (fault == SimulatorFault.None)
                    {
                        billed = true;
                        counters.BodySent(1);
                    }
                }

                FlushResult flushed = await writer.WriteAsync(cut ? Chunk(rest.Span[..length]) : rest[..length]);
                if (flushed.IsCompleted || flushed.IsCanceled)
                {
                    break;
                }

                rest = rest[length..];
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            lifetime.Abort(); // the client has left, or the server ends
        }
        finally
        {
            output.Return();
            if (!left)
            {
                admission.Leave(request, SendHandler.ClientLeft);
            }
        }

        bool whole = rest.IsEmpty;
        if (billed && !whole)
        {
            counters.BodySent(-1);
        }

        return billed && whole;
    }

    private static byte[] Chunk(ReadOnlySpan<byte> bytes) => [.. Encoding.ASCII.GetBytes($"{bytes.Length:x}\r\n"), .. bytes, .. "\r\n"u8];
}
