using System.Net;
using FastLLM.Diagnostics;

namespace FastLLM.Providers;

/// <summary>Sends the bytes of a request, and marks the attempt when all of them are sent.</summary>
internal class BodyContent : HttpContent
{
    private readonly Attempt? _attempt;

    public BodyContent(ReadOnlyMemory<byte> body, Attempt? attempt)
    {
        Body = body;
        _attempt = attempt;
        Headers.TryAddWithoutValidation("Content-Type", "application/json");
    }

    /// <summary>Gets the bytes.</summary>
    protected ReadOnlyMemory<byte> Body { get; }

    protected sealed override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        ValueTask write = KillPoint.IsArmed(KillPoint.AfterHeadersSent) || KillPoint.IsArmed(KillPoint.MidRequestBody)
            ? WriteInPiecesAsync(stream, cancellationToken)
            : stream.WriteAsync(Body, cancellationToken);
        if (!write.IsCompletedSuccessfully)
        {
            return FinishAsync(write);
        }

        Sent();
        return Task.CompletedTask;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = Body.Length;
        return true;
    }

    private async Task FinishAsync(ValueTask write)
    {
        await write.ConfigureAwait(false);
        Sent();
    }

    // The handler sends headers and body together: here they are flushed separately.
    private async ValueTask WriteInPiecesAsync(Stream stream, CancellationToken cancellationToken)
    {
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        KillPoint.Reached(KillPoint.AfterHeadersSent);
        await stream.WriteAsync(Body[..(Body.Length / 2)], cancellationToken).ConfigureAwait(false);
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        KillPoint.Reached(KillPoint.MidRequestBody);
        await stream.WriteAsync(Body[(Body.Length / 2)..], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Marks the attempt as sent.</summary>
    protected void Sent() => _attempt?.MarkSent();
}
