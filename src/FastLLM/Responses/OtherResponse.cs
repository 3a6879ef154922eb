namespace FastLLM;

/// <summary>Represents a response of an endpoint that is passed through, such as <c>/v1/responses</c>. Read it with
/// <see cref="LlmResponse.Json"/>.</summary>
public sealed class OtherResponse : LlmResponse
{
    internal OtherResponse(ReadOnlyMemory<byte> rawBody)
        : base(rawBody)
    {
    }
}
