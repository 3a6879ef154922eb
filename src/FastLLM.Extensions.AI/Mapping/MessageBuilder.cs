using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Collects the contents of a chat message for the message that is sent.</summary>
internal sealed class MessageBuilder(ChatMessage message)
{
    private const int MaxNameLength = 64;

    private readonly List<ContentPart> _parts = [];
    private readonly List<FunctionCallContent> _calls = [];
    private string? _refusal;
    private bool _hasOwnParts;

    public void Add(AIContent content)
    {
        if (message.Role == ChatRole.Tool)
        {
            throw new NotSupportedException($"A {content.GetType().Name} cannot be sent in a tool's message, only results can "
                + $"({nameof(FunctionResultContent)}). Put it into a message of its own.");
        }

        switch (content)
        {
            case FunctionCallContent call:
                // Also a call that was answered by the client: its result is in the history and needs its call.
                _calls.Add(call);
                break;
            case ErrorContent { ErrorCode: ChatMessages.Refusal } error:
                _refusal = error.Message;
                break;
            default:
                _hasOwnParts |= content.RawRepresentation is ContentPart;
                _parts.Add(ContentParts.Of(content));
                break;
        }
    }

    public void AddTo(List<Message> all)
    {
        if (message.Role == ChatRole.Tool)
        {
            throw new NotSupportedException($"A tool's message without a {nameof(FunctionResultContent)} cannot be sent.");
        }

        bool isCustom = _calls.Exists(call => ChatMessages.InputOf(call) is not null);
        all.Add(new Message(message.Role.Value, Content())
        {
            Name = NameOf(message.AuthorName),
            ToolCalls = _calls.Count > 0 && !isCustom
                ? [.. _calls.Select(call => new ToolCall(call.CallId, new FunctionCall(call.Name, ChatMessages.ArgumentsOf(call))))]
                : null,
            AdditionalProperties = Additional(isCustom),
        });
    }

    // Servers accept ASCII letters, digits and underscores only.
    private static string? NameOf(string? author)
    {
        string name = string.Concat((author ?? "").Where(character => char.IsAsciiLetterOrDigit(character) || character == '_'));
        return name.Length == 0 ? null : name[..Math.Min(name.Length, MaxNameLength)];
    }

    private MessageContent? Content() => _parts switch
    {
        // Only calls take the place of a content.
        [] => _calls.Count > 0 ? null : "",
        [{ Text: { } text, Type: "text" }] when !_hasOwnParts => text,
        _ => MessageContent.FromParts([.. _parts]),
    };

    private Dictionary<string, JsonElement>? Additional(bool isCustom)
    {
        Dictionary<string, JsonElement>? more = null;
        if (_refusal is { } refusal)
        {
            (more ??= [])["refusal"] = ValueJson.Element(writer => writer.WriteStringValue(refusal));
        }

        if (isCustom)
        {
            (more ??= [])["tool_calls"] = ValueJson.Element(writer =>
            {
                writer.WriteStartArray();
                foreach (FunctionCallContent call in _calls)
                {
                    ValueJson.WriteCall(writer, call);
                }

                writer.WriteEndArray();
            });
        }

        return more;
    }
}
