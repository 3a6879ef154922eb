namespace FastLLM;

/// <summary>A function that a model wants called.</summary>
/// <param name="Name">The function's name.</param>
/// <param name="Arguments">Its arguments as the model wrote them: text that is meant to be a JSON object, and untrusted.</param>
public sealed record FunctionCall(string Name, string Arguments);
