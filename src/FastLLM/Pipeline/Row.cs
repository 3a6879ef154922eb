namespace FastLLM.Pipeline;

/// <summary>Represents a request and its place in the run; <c>default</c> if there are no more.</summary>
internal readonly record struct Row(LlmRequest? Request, long OrderId);
