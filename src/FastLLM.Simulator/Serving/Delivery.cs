using System.IO.Pipelines;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace FastLLM.Simulator.Serving;

/// <summary>Sends JSON answers, and returns their buffers.</summary>
internal static class Delivery
{
    private const int LedgerPiece = 4096;

    private static readonly StringValues s_json = "application/json";

    /// <returns>Whether the connection took the whole body.</returns>
    public static ValueTask<bool> WholeAsync(IFeatureCollection context, IHttpResponseFeature response, int status, JsonOut output) =>
        WriteAsync(context, response, status, output, output.Length);

    /// <summary>Announces the whole body and sends half of it.</summary>
    /// <remarks>Kestrel closes a connection whose answer is too short after sending it; a reset could overtake the half.</remarks>
    public static ValueTask<bool> HalfAsync(IFeatureCollection context, IHttpResponseFeature response, int status, JsonOut output) =>
        WriteAsync(context, response, status, output, output.Length / 2);

    /// <summary>Sends the ledger piece by piece: it may be long. With <c>?idle</c>, as soon as no other connection is open.</summary>
    public static async Task LedgerAsync(IFeatureCollection context, Ledger ledger)
    {
        context.Get<IHttpResponseFeature>()!.Headers.ContentType = Ledger.ContentType;
        PipeWriter writer = context.Get<IHttpResponseBodyFeature>()!.Writer;
        int from = 0;
        try
        {
            if (context.Get<IHttpRequestFeature>()!.QueryString == "?idle")
            {
                await ledger.WaitForOthersAsync().WaitAsync(context.Get<IHttpRequestLifetimeFeature>()!.RequestAborted);
            }

            while (ledger.Write(ref from, writer.GetSpan(LedgerPiece)) is > 0 and int written)
            {
                writer.Advance(written);
                if ((await writer.FlushAsync()) is { IsCompleted: true } or { IsCanceled: true })
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client has left.
        }
    }

    private static async ValueTask<bool> WriteAsync(
        IFeatureCollection context, IHttpResponseFeature response, int status, JsonOut output, int length)
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
