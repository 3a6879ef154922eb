using System.Buffers;
using System.IO.Pipelines;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace FastLLM.Simulator.Serving;

/// <summary>The one handler of the server, put straight onto Kestrel: no routing, no HttpContext, no logging.</summary>
internal sealed class SimulatorApplication(SimulatorOptions options, Counters counters) : IHttpApplication<IFeatureCollection>
{
    public const long MaxBodyBytes = 256L << 20;

    private const int ClientLeft = 499;

    private static readonly StringValues s_json = "application/json";
    private static readonly StringValues s_version = "2020-10-01";
    private static readonly StringValues s_noTime = "0";

    private long _failuresLeft = options.FailFirst;

    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    public void DisposeContext(IFeatureCollection context, Exception? exception)
    {
    }

    public Task ProcessRequestAsync(IFeatureCollection context)
    {
        IHttpRequestFeature request = context.Get<IHttpRequestFeature>()!;
        (ServedPath path, string allowed) = request.Path switch
        {
            "/v1/chat/completions" => (ServedPath.ChatCompletions, "POST"),
            "/v1/embeddings" => (ServedPath.Embeddings, "POST"),
            "/v1/models" => (ServedPath.Models, "GET"),
            "/simulator/stats" => (ServedPath.Stats, "GET"),
            _ => (ServedPath.Other, ""),
        };

        return path == ServedPath.Other || !string.Equals(request.Method, allowed, StringComparison.Ordinal) ? RefuseAsync(context, request, path, allowed)
            : path is ServedPath.ChatCompletions or ServedPath.Embeddings ? SendAsync(context, request, path)
            : TellAsync(context, path);
    }

    /// <summary>Takes a send and answers it.</summary>
    private async Task SendAsync(IFeatureCollection context, IHttpRequestFeature request, ServedPath path)
    {
        counters.Enter();
        JsonOut? output = null;
        byte[]? rented = null;
        int status = ClientLeft;
        BodyHash hash = default;
        TimeSpan latency = TimeSpan.Zero;
        try
        {
            PipeReader reader = context.Get<IRequestBodyPipeFeature>()!.Reader;
            ReadResult read = await reader.ReadAsync();
            ReadOnlyMemory<byte> body;
            if (read.IsCompleted && read.Buffer.IsSingleSegment)
            {
                body = read.Buffer.First; // the usual case: read where it lies
            }
            else
            {
                int length;
                (rented, length) = await CopyAsync(reader, read, request.Headers.ContentLength);
                body = rented.AsMemory(0, length);
                read = default;
            }

            hash = BodyHash.Of(body.Span);
            int send = counters.Send(hash);
            bool fails = TakeFailure() || SimulatorErrors.Hits(options, hash, send);
            latency = SimulatorLatency.Of(options, hash);
            if (latency > TimeSpan.Zero)
            {
                // Also cut short by the end of the server, which aborts its connections.
                await Task.Delay(latency, options.TimeProvider, context.Get<IHttpRequestLifetimeFeature>()!.RequestAborted);
            }

            output = JsonOut.Rent(options.Compact);
            if (fails)
            {
                status = options.ErrorStatus;
                Problem.Simulated(status).WriteTo(output);
            }
            else
            {
                status = Answer.Write(path, body.Span, hash, options.EmbeddingDimensions, output);
            }

            if (rented is null)
            {
                reader.AdvanceTo(read.Buffer.End);
            }
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            output = JsonOut.Rent(options.Compact);
            status = e.StatusCode;
            Problem.TooLarge.WriteTo(output);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            context.Get<IHttpRequestLifetimeFeature>()!.Abort(); // the client has left, or the server ends
        }
        finally
        {
            counters.Leave(path, status);
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }

        if (output is null)
        {
            return;
        }

        bool billed = status == StatusCodes.Status200OK;
        if (billed)
        {
            counters.BodySent(1);
        }

        IHttpResponseFeature response = context.Get<IHttpResponseFeature>()!;
        response.Headers["x-request-id"] = string.Create(36, hash, static (chars, hash) =>
        {
            "req_".CopyTo(chars);
            hash.High.TryFormat(chars[4..], out _, "x16");
            hash.Low.TryFormat(chars[20..], out _, "x16");
        });
        response.Headers["openai-version"] = s_version;
        response.Headers["openai-processing-ms"] = latency == TimeSpan.Zero ? s_noTime : ((long)latency.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (!await WriteAsync(context, response, status, output) && billed)
        {
            counters.BodySent(-1);
        }
    }

    /// <summary>Answers what is not a send: the list of models, and the counts.</summary>
    private async Task TellAsync(IFeatureCollection context, ServedPath path)
    {
        JsonOut output = JsonOut.Rent(options.Compact);
        if (path == ServedPath.Stats)
        {
            counters.Snapshot().WriteTo(output);
        }
        else
        {
            counters.Enter();
            Answer.WriteModels(output);
            counters.Leave(path, StatusCodes.Status200OK);
        }

        await WriteAsync(context, context.Get<IHttpResponseFeature>()!, StatusCodes.Status200OK, output);
    }

    private async Task RefuseAsync(IFeatureCollection context, IHttpRequestFeature request, ServedPath path, string allowed)
    {
        Problem problem = path == ServedPath.Other
            ? new Problem(StatusCodes.Status404NotFound, $"Invalid URL ({request.Method} {request.Path})")
            : new Problem(StatusCodes.Status405MethodNotAllowed, $"Not allowed to {request.Method} on {request.Path}. (HINT: Perhaps you meant to use a different HTTP method?)", Code: "method_not_supported");
        if (path != ServedPath.Stats)
        {
            counters.Enter();
            counters.Leave(path, problem.Status);
        }

        IHttpResponseFeature response = context.Get<IHttpResponseFeature>()!;
        if (path != ServedPath.Other)
        {
            response.Headers.Allow = allowed;
        }

        JsonOut output = JsonOut.Rent(options.Compact);
        problem.WriteTo(output);
        await WriteAsync(context, response, problem.Status, output);
    }

    /// <returns>Whether the connection took the whole body.</returns>
    private static async ValueTask<bool> WriteAsync(IFeatureCollection context, IHttpResponseFeature response, int status, JsonOut output)
    {
        response.StatusCode = status;
        response.Headers.ContentType = s_json;
        response.Headers.ContentLength = output.Length;
        try
        {
            FlushResult flushed = await context.Get<IHttpResponseBodyFeature>()!.Writer.WriteAsync(output.Written);
            return !flushed.IsCompleted && !flushed.IsCanceled;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return false;
        }
        finally
        {
            output.Return();
        }
    }

    /// <summary>Takes a body that came in pieces, piece by piece, so that the connection's own buffers stay small.</summary>
    private static async ValueTask<(byte[] Rented, int Length)> CopyAsync(PipeReader reader, ReadResult read, long? contentLength)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(contentLength ?? 0, 4096, MaxBodyBytes));
        int length = 0;
        try
        {
            while (true)
            {
                ReadOnlySequence<byte> buffer = read.Buffer;
                int needed = checked(length + (int)buffer.Length);
                if (needed > bytes.Length)
                {
                    byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, 2 * bytes.Length));
                    bytes.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(bytes);
                    bytes = larger;
                }

                buffer.CopyTo(bytes.AsSpan(length));
                length = needed;
                bool last = read.IsCompleted;
                reader.AdvanceTo(buffer.End);
                if (last)
                {
                    return (bytes, length);
                }

                read = await reader.ReadAsync();
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(bytes);
            throw;
        }
    }

    private bool TakeFailure() => Volatile.Read(ref _failuresLeft) > 0 && Interlocked.Decrement(ref _failuresLeft) >= 0;
}
