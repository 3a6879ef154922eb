namespace FastLLM;

/// <summary>A tool that a model wants called.</summary>
/// <param name="Id">The call's id, which the tool's answer names in <see cref="Message.ToolCallId"/>.</param>
/// <param name="Function">The function and its arguments.</param>
public sealed record ToolCall(string Id, FunctionCall Function)
{
    /// <summary>Gets the kind of tool.</summary>
    /// <value>The default is <c>function</c>.</value>
    public string Type { get; init; } = "function";
}
