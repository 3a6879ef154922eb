namespace FastLLM.Pipeline;

/// <summary>A row that waits for a verdict.</summary>
internal readonly record struct Caller<TResponse>(Run<TResponse> Run, long OrderId);
