using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Converts chat messages to the messages that are sent.</summary>
internal static class ChatMessages
{
    /// <summary>The code of an <see cref="ErrorContent"/> that holds a model's refusal.</summary>
    public const string Refusal = "Refusal";

    /// <summary>The argument that holds the text of a call of a custom tool.</summary>
    public const string Input = "input";

    public static List<Message> ToMessages(IEnumerable<ChatMessage> messages, string? instructions)
    {
        List<Message> all = [];
        if (!string.IsNullOrEmpty(instructions))
        {
            all.Add(Message.System(instructions));
        }

        foreach (ChatMessage message in messages)
        {
            ArgumentNullException.ThrowIfNull(message, nameof(messages));
            Add(message, all);
        }

        return all;
    }

    /// <summary>Gets the arguments of a call: the model's own text if it still has the same values, because the provider's prompt cache and
    /// the request key depend on it.</summary>
    public static string ArgumentsOf(FunctionCallContent call)
    {
        if (call.RawRepresentation is ToolCall { Function.Arguments: var said }
            && (call.Exception is not null || Says(said, call.Arguments)))
        {
            return said;
        }

        return ValueJson.Write(call.Arguments);
    }

    /// <summary>Gets the text of a call of a custom tool, whose argument is a text and no JSON.</summary>
    public static string? InputOf(FunctionCallContent call) =>
        call.RawRepresentation is not ToolCall { Type: "custom", Function.Arguments: var said } ? null
            : call.Arguments?.TryGetValue(Input, out object? input) == true ? input?.ToString() ?? said : said;

    // One chat message may have the results of several calls; in a request each result is a message.
    private static void Add(ChatMessage message, List<Message> all)
    {
        if (RawModel.ToJson(message.RawRepresentation) is { } raw && raw.Text("role") is not null)
        {
            all.Add(Message.FromJson(raw));
            return;
        }

        MessageBuilder? next = null;
        var results = 0;
        foreach (AIContent content in message.Contents)
        {
            if (content is FunctionResultContent result)
            {
                // What comes before a result, such as its call, is sent before it.
                next?.AddTo(all);
                next = null;
                all.Add(Message.Tool(result.CallId, TextOf(result)));
                results++;
            }
            else if (content is not (TextReasoningContent or UsageContent))
            {
                // Reasoning and usage are not sent back: APIs refuse them or bill them again.
                (next ??= new MessageBuilder(message)).Add(content);
            }
        }

        if (next is not null || results == 0)
        {
            (next ?? new MessageBuilder(message)).AddTo(all);
        }
    }

    private static bool Says(string said, IDictionary<string, object?>? arguments)
    {
        try
        {
            return said.Length > 0 && ValueJson.Write(ValueJson.ReadMembers(said)) == ValueJson.Write(arguments);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static string TextOf(FunctionResultContent result) => result.Result switch
    {
        null => result.Exception is { } error ? $"Error: {error.Message}" : "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } text => text.Text()!,
        TextContent text => text.Text,
        IEnumerable<AIContent> contents when contents.All(content => content is TextContent) => string.Concat(contents),
        var value => ValueJson.Write(value),
    };
}
