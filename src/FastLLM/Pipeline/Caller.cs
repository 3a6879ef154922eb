namespace FastLLM.Pipeline;

/// <summary>Represents a row that awaits the outcome of an in-flight request.</summary>
internal readonly record struct Caller<TResponse>(Run<TResponse> Run, long OrderId);
