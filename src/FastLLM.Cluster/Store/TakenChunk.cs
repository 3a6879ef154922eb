namespace FastLLM.Cluster.Store;

/// <summary>Names a chunk: a part of a job, from 0.</summary>
internal readonly record struct ChunkId(string Job, int Number);

/// <summary>Represents a chunk that a worker has taken, with the token that fences off earlier holders.</summary>
internal sealed record TakenChunk(ChunkId Id, long Token, int Crashes, byte[] Input);
