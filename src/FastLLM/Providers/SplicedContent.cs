using System.Net;

namespace FastLLM.Providers;

/// <summary>Sends the bytes of a request with an addition at their end, without copying them.</summary>
internal sealed class SplicedContent(ReadOnlyMemory<byte> begin, ReadOnlyMemory<byte> end, Attempt? attempt) : BodyContent(begin, attempt)
{
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(Body, cancellationToken).ConfigureAwait(false);
        await stream.WriteAsync(end, cancellationToken).ConfigureAwait(false);
        Sent();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = Body.Length + end.Length;
        return true;
    }
}
