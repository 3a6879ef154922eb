using System.IO.Pipelines;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace FastLLM.Simulator.Serving;

/// <summary>Hands JSON answers to the connection, and gives their buffer back.</summary>
internal static class Delivery
{
    private static readonly StringValues s_json = "application/json";

    /// <returns>Whether the connection took the whole body.</returns>
    public static ValueTask<bool> WholeAsync(IFeatureCollection context, IHttpResponseFeature response, int status, JsonOut output) =>
        WriteAsync(context, response, status, output, output.Length);

    /// <summary>Promises the whole body and sends half of it.</summary>
    /// <remarks>Kestrel ends a connection whose answer is too short once it has sent what there is; a reset could overtake the half.</remarks>
    public static ValueTask<bool> HalfAsync(IFeatureCollection context, IHttpResponseFeature response, int status, JsonOut output) =>
        WriteAsync(context, response, status, output, output.Length / 2);

    private static async ValueTask<bool> WriteAsync(IFeatureCollection context, IHttpResponseFeature response, int status, JsonOut output, int length)
    {
        response.StatusCode = status;
        response.Headers.ContentType = s_json;
        response.Headers.ContentLength = output.Length;
        try
        {
            FlushResult flushed = await context.Get<IHttpResponseBodyFeature>()!.Writer.WriteAsync(output.Written[..length]);
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
}
