using System.Net;

namespace FastLLM.Providers;

/// <summary>A request's bytes with something of ours at their end, without a copy of them.</summary>
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
