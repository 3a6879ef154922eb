namespace FastLLM;

/// <summary>Represents a call of a tool by a model.</summary>
/// <param name="Id">The id of the call, which the tool's message repeats in <see cref="Message.ToolCallId"/>.</param>
/// <param name="Function">The function and its arguments.</param>
public sealed record ToolCall(string Id, FunctionCall Function)
{
    /// <summary>Gets the kind of tool.</summary>
    /// <value>The default is <c>function</c>.</value>
    public string Type { get; init; } = "function";
}
