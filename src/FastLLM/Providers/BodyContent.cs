using System.Net;

namespace FastLLM.Providers;

/// <summary>A request's bytes on their way out; tells the attempt when all of them are gone.</summary>
internal sealed class BodyContent : HttpContent
{
    private readonly ReadOnlyMemory<byte> _body;
    private readonly Attempt? _attempt;

    public BodyContent(ReadOnlyMemory<byte> body, Attempt? attempt)
    {
        _body = body;
        _attempt = attempt;
        Headers.TryAddWithoutValidation("Content-Type", "application/json");
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        ValueTask write = stream.WriteAsync(_body, cancellationToken);
        if (!write.IsCompletedSuccessfully)
        {
            return FinishAsync(write);
        }

        Sent();
        return Task.CompletedTask;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _body.Length;
        return true;
    }

    private async Task FinishAsync(ValueTask write)
    {
        await write.ConfigureAwait(false);
        Sent();
    }

    private void Sent()
    {
        if (_attempt is not null)
        {
            _attempt.RequestSent = true;
        }
    }
}
