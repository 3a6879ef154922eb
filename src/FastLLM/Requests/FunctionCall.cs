namespace FastLLM;

/// <summary>Represents a call of a function by a model.</summary>
/// <param name="Name">The function's name.</param>
/// <param name="Arguments">The arguments as the model wrote them: untrusted text that should be a JSON object.</param>
public sealed record FunctionCall(string Name, string Arguments);
