using System.Text.Json;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>One message of a conversation.</summary>
/// <remarks>Immutable; two messages are equal when they send the same bytes. A string converts to a user message.</remarks>
public sealed record Message
{
    private static readonly string[] KnownRoles = ["system", "developer", "user", "assistant", "function", "tool"];

    /// <summary>Creates a message.</summary>
    /// <param name="role">Who speaks: <c>system</c>, <c>developer</c>, <c>user</c>, <c>assistant</c>, <c>function</c> or <c>tool</c>.</param>
    /// <param name="content">What is said; <see langword="null"/> where an assistant only calls tools.</param>
    /// <exception cref="ArgumentException">The role is not known.</exception>
    public Message(string role, MessageContent? content = null)
    {
        Role = role;
        Content = content;
    }

    /// <summary>Gets who speaks: <c>system</c>, <c>developer</c>, <c>user</c>, <c>assistant</c>, <c>function</c> or <c>tool</c>.</summary>
    /// <exception cref="ArgumentException">The role is not known.</exception>
    public string Role
    {
        get;
        init => field = Known(value);
    }

    /// <summary>Gets what is said; <see langword="null"/> where an assistant only calls tools.</summary>
    public MessageContent? Content { get; init; }

    /// <summary>Gets the speaker's name, where several speak in one role.</summary>
    public string? Name { get; init; }

    /// <summary>Gets the function that an assistant wants called (the older form of <see cref="ToolCalls"/>).</summary>
    public FunctionCall? FunctionCall { get; init; }

    /// <summary>Gets the tools that an assistant wants called.</summary>
    public IReadOnlyList<ToolCall>? ToolCalls { get; init; }

    /// <summary>Gets the id of the call that a <c>tool</c> message answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>Gets members that have no property here, such as <c>cache_control</c> or <c>refusal</c>; they are sent as they are.</summary>
    public IReadOnlyDictionary<string, JsonElement>? AdditionalProperties { get; init; }

    /// <summary>A text is a user message.</summary>
    /// <param name="text">What the user says.</param>
    public static implicit operator Message(string text) => User(text);

    /// <summary>A message that sets the scene.</summary>
    /// <param name="content">Its content.</param>
    public static Message System(MessageContent content) => new("system", content);

    /// <summary>A message that sets the scene, by the name that newer models use.</summary>
    /// <param name="content">Its content.</param>
    public static Message Developer(MessageContent content) => new("developer", content);

    /// <summary>A message from the user.</summary>
    /// <param name="content">Its content.</param>
    public static Message User(MessageContent content) => new("user", content);

    /// <summary>A message from the model.</summary>
    /// <param name="content">Its content; <see langword="null"/> where it only calls tools.</param>
    public static Message Assistant(MessageContent? content) => new("assistant", content);

    /// <summary>A tool's answer to a call.</summary>
    /// <param name="toolCallId">The id of the call.</param>
    /// <param name="content">The answer.</param>
    public static Message Tool(string toolCallId, MessageContent content)
    {
        ArgumentNullException.ThrowIfNull(toolCallId);
        return new Message("tool", content) { ToolCallId = toolCallId };
    }

    /// <summary>A text as a user message.</summary>
    /// <param name="text">What the user says.</param>
    public static Message FromString(string text) => User(text);

    /// <summary>Reads a message as the OpenAI API writes it. Members without a property here are kept.</summary>
    /// <param name="json">A JSON object.</param>
    /// <exception cref="JsonException">The text is not JSON, or not a message.</exception>
    /// <exception cref="ArgumentException">The role is not known.</exception>
    public static Message FromJson(string json)
    {
        using JsonDocument document = JsonText.Parse(json);
        return FromJson(document.RootElement);
    }

    /// <inheritdoc cref="FromJson(string)"/>
    public static Message FromJson(JsonElement json) => MessageJson.Read(json);

    /// <inheritdoc/>
    public bool Equals(Message? other) => ReferenceEquals(this, other) || (other is not null && Json().AsSpan().SequenceEqual(other.Json()));

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(Json());
        return hash.ToHashCode();
    }

    /// <summary>Prints role and length, never the content, which may be private.</summary>
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
