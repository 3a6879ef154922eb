using System.Text.Json;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>Represents a message of a conversation.</summary>
/// <remarks>Immutable. Two messages are equal if they send the same bytes. A string converts to a user message.</remarks>
public sealed record Message
{
    private static readonly string[] KnownRoles = ["system", "developer", "user", "assistant", "function", "tool"];

    /// <summary>Creates a message.</summary>
    /// <param name="role">The role: <c>system</c>, <c>developer</c>, <c>user</c> (the default), <c>assistant</c>, <c>function</c> or
    /// <c>tool</c>.</param>
    /// <param name="content">The content; <see langword="null"/> if an assistant only calls tools.</param>
    /// <exception cref="ArgumentException">The role is unknown.</exception>
    public Message(string role = "user", MessageContent? content = null)
    {
        Role = role;
        Content = content;
    }

    /// <summary>Gets the role: <c>system</c>, <c>developer</c>, <c>user</c>, <c>assistant</c>, <c>function</c> or <c>tool</c>.</summary>
    /// <exception cref="ArgumentException">The role is unknown.</exception>
    public string Role
    {
        get;
        init => field = Known(value);
    }

    /// <summary>Gets the content; <see langword="null"/> if an assistant only calls tools.</summary>
    public MessageContent? Content { get; init; }

    /// <summary>Gets the name of the participant, to distinguish several with one role.</summary>
    public string? Name { get; init; }

    /// <summary>Gets the function call of an assistant (the older form of <see cref="ToolCalls"/>).</summary>
    public FunctionCall? FunctionCall { get; init; }

    /// <summary>Gets the tool calls of an assistant.</summary>
    public IReadOnlyList<ToolCall>? ToolCalls { get; init; }

    /// <summary>Gets the id of the call whose result a <c>tool</c> message has.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>Gets the members without a property here, such as <c>cache_control</c> or <c>refusal</c>. They are sent
    /// unchanged.</summary>
    public IReadOnlyDictionary<string, JsonElement>? AdditionalProperties { get; init; }

    /// <summary>Converts text to a user message.</summary>
    /// <param name="text">The text of the user.</param>
    public static implicit operator Message(string text) => User(text);

    /// <summary>Creates a system message.</summary>
    /// <param name="content">The content.</param>
    public static Message System(MessageContent content) => new("system", content);

    /// <summary>Creates a developer message, the system message of newer models.</summary>
    /// <param name="content">The content.</param>
    public static Message Developer(MessageContent content) => new("developer", content);

    /// <summary>Creates a user message.</summary>
    /// <param name="content">The content.</param>
    public static Message User(MessageContent content) => new("user", content);

    /// <summary>Creates an assistant message.</summary>
    /// <param name="content">The content; <see langword="null"/> if the model only calls tools.</param>
    public static Message Assistant(MessageContent? content) => new("assistant", content);

    /// <summary>Creates a tool message: the result of a call.</summary>
    /// <param name="toolCallId">The id of the call.</param>
    /// <param name="content">The result.</param>
    public static Message Tool(string toolCallId, MessageContent content)
    {
        ArgumentNullException.ThrowIfNull(toolCallId);
        return new Message("tool", content) { ToolCallId = toolCallId };
    }

    /// <summary>Creates a user message from text.</summary>
    /// <param name="text">The text of the user.</param>
    public static Message FromString(string text) => User(text);

    /// <summary>Reads a message as the OpenAI API writes it. Members without a property here are kept.</summary>
    /// <param name="json">A JSON object.</param>
    /// <exception cref="JsonException">The text is not JSON, or not a message.</exception>
    /// <exception cref="ArgumentException">The role is unknown.</exception>
    public static Message FromJson(string json)
    {
        using JsonDocument document = JsonText.Parse(json);
        return FromJson(document.RootElement);
    }

    /// <inheritdoc cref="FromJson(string)"/>
    public static Message FromJson(JsonElement json) => MessageJson.Read(json);

    /// <summary>Creates a message from a dictionary, as the OpenAI API writes it.</summary>
    /// <param name="message">The members.</param>
    /// <exception cref="JsonException">The members are not those of a message.</exception>
    /// <exception cref="ArgumentException">The role is unknown, or a value cannot be sent.</exception>
    public static Message FromDictionary(IReadOnlyDictionary<string, object?> message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return ObjectBody.ToMessage(message);
    }

    /// <inheritdoc/>
    public bool Equals(Message? other) =>
        ReferenceEquals(this, other) || (other is not null && Json().AsSpan().SequenceEqual(other.Json()));

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(Json());
        return hash.ToHashCode();
    }

    /// <summary>Returns the role, never the content, which may be private.</summary>
    public override string ToString() => $"{Role} message";

    internal void WriteTo(Utf8JsonWriter writer) => MessageJson.Write(writer, this);

    private static string Known(string role)
    {
        ArgumentNullException.ThrowIfNull(role, nameof(Role));
        return Array.IndexOf(KnownRoles, role) >= 0
            ? KnownRoles[Array.IndexOf(KnownRoles, role)]
            : throw new ArgumentException($"The role \"{role}\" is not known. Known roles: {string.Join(", ", KnownRoles)}.", nameof(Role));
    }

    private byte[] Json() => JsonText.Build(WriteTo);
}
