namespace FastLLM;

/// <summary>An answer of an endpoint that is passed through, such as <c>/v1/responses</c>: read it by <see cref="LlmResponse.Json"/>.</summary>
public sealed class OtherResponse : LlmResponse
{
    internal OtherResponse(ReadOnlyMemory<byte> rawBody)
        : base(rawBody)
    {
    }
}
