namespace FastLLM.Cluster.Chunks;

/// <summary>Represents a row as a worker gets it: a request with its id and metadata, or the error of an invalid row.</summary>
internal readonly record struct ChunkRow(
    string Id, string Endpoint, int Sample, ReadOnlyMemory<byte> Metadata, ReadOnlyMemory<byte> Body, string? Error)
{
    /// <summary>Creates the request of a row that is not invalid.</summary>
    public LlmRequest ToRequest() => LlmRequest.FromBody(Endpoint, Body, Id, Sample);
}
