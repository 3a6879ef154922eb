namespace FastLLM.Pipeline;

/// <summary>A request and its place in the run; <c>default</c> where there are no more.</summary>
internal readonly record struct Row(LlmRequest? Request, long OrderId);
