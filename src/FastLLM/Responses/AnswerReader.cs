using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Responses;

/// <summary>Reads answers in all forms in which providers write them, for texts, rows and reports.</summary>
/// <remarks>Content is a text, or parts: text, thinking, refusal, audio. Calls are <c>tool_calls</c>, the older <c>function_call</c>, or
/// items of a response of <c>/v1/responses</c>.</remarks>
internal static class AnswerReader
{
    private static readonly string[] s_calls =
        ["function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"];

    /// <summary>Gets the answer of one choice of a chat completion or a text completion.</summary>
    public static Answer OfChoice(JsonElement choice)
    {
        JsonElement message = choice.Message();
        return new Answer(TextOf(message) ?? choice.Text("text"), RefusalOf(message), [.. CallsOf(message)]);
    }

    /// <summary>Returns whether a body has the output of <c>/v1/responses</c>, which may be empty.</summary>
    public static bool HasOutput(JsonElement body) => body.Member("output").ValueKind is JsonValueKind.Array or JsonValueKind.Null;

    /// <summary>Gets why the answer of a <c>/v1/responses</c> object ended early, in the words of chat completions; <see langword="null"/>
    /// if it did not.</summary>
    public static string? FinishReasonOfOutput(JsonElement body) =>
        body.Member("incomplete_details").Text("reason") is { } reason ? OtherResponse.InWordsOfChat(reason) : null;

    /// <summary>Gets the answer of a response of <c>/v1/responses</c>. Without text and calls in its items, it is the <c>output_text</c>
    /// that some servers add, otherwise what tools of the provider made.</summary>
    public static Answer OfOutput(JsonElement body)
    {
        List<string> texts = [], refusals = [];
        List<JsonElement> calls = [], others = [];
        foreach (JsonElement item in body.Elements("output"))
        {
            string? type = item.Text("type");
            if (type is "message" or null)
            {
                AddTo(texts, TextOf(item));
                AddTo(refusals, RefusalOf(item));
            }
            else if (type != "reasoning")
            {
                (s_calls.Contains(type) ? calls : others).Add(item);
            }
        }

        bool isEmpty = texts.Count + refusals.Count + calls.Count == 0;
        if (isEmpty)
        {
            AddTo(texts, body.Text("output_text") is { Length: > 0 } text ? text : null);
        }

        return new Answer(
            texts.Count > 0 ? string.Concat(texts) : null, refusals.Count > 0 ? string.Concat(refusals) : null,
            isEmpty && texts.Count == 0 ? others : calls);
    }

    /// <summary>Gets the text of a message: its content, the text of the content's parts, or the transcript of its sound. Content that is
    /// another value, such as a number or an object, is its JSON.</summary>
    public static string? TextOf(JsonElement message)
    {
        JsonElement content = message.Member("content");
        string? text = content.Text() ?? Joined(content, TextOfPart) ?? JsonOf(content);
        return string.IsNullOrEmpty(text) ? message.Member("audio").Text("transcript") ?? text : text;
    }

    /// <summary>Gets why a model refused.</summary>
    public static string? RefusalOf(JsonElement message) =>
        message.Text("refusal") ?? Joined(message.Member("content"), part => part.Text("refusal"));

    /// <summary>Gets the reasoning that a message shows.</summary>
    public static string? ReasoningOf(JsonElement message) =>
        message.Text("reasoning_content") ?? message.Text("reasoning") ?? Joined(message.Member("content"), ThinkingOfPart);

    /// <summary>Gets the calls of a message, as they came.</summary>
    public static IEnumerable<JsonElement> CallsOf(JsonElement message)
    {
        JsonElement calls = message.Member("tool_calls");
        if (calls.ValueKind == JsonValueKind.Array && calls.GetArrayLength() > 0)
        {
            return calls.EnumerateArray();
        }

        JsonElement function = message.Member("function_call");
        return function.ValueKind == JsonValueKind.Object ? [function] : [];
    }

    /// <summary>Gets the calls of a response of <c>/v1/responses</c>, as they came.</summary>
    public static IEnumerable<JsonElement> CallsOfOutput(JsonElement body) =>
        body.Elements("output").Where(item => s_calls.Contains(item.Text("type")));

    /// <summary>Converts a call in any of its forms.</summary>
    public static ToolCall ToToolCall(JsonElement call)
    {
        (string? name, string? arguments) = FunctionOf(call);
        return new ToolCall(call.Text("call_id") ?? call.Text("id") ?? "", new FunctionCall(name ?? "", arguments ?? ""))
        {
            Type = call.Text("type") is { } type and not "function_call" ? type : "function",
        };
    }

    /// <summary>Gets the name and the arguments of a call in any of its forms.</summary>
    public static (string? Name, string? Arguments) FunctionOf(JsonElement call)
    {
        JsonElement function = call.Member("function");
        if (function.ValueKind != JsonValueKind.Object)
        {
            function = call.Member("custom") is { ValueKind: JsonValueKind.Object } custom ? custom : call;
        }

        return (function.Text("name"), function.Text("arguments") ?? function.Text("input") ?? RawObject(function.Member("arguments")));
    }

    // Some servers send arguments as an object rather than as its text.
    private static string? RawObject(JsonElement arguments) =>
        arguments.ValueKind == JsonValueKind.Object ? arguments.RawText() : null;

    private static string? TextOfPart(JsonElement part) => part.Text() ?? (part.Text("type") is "thinking" or "reasoning" ? null
        : part.Text("text") ?? part.Member("text").Text("value") ?? part.Text("transcript") ?? part.Member("audio").Text("transcript"));

    // Some servers parse an answer that is JSON, and send the value rather than its text.
    private static string? JsonOf(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => content.RawText(),
        JsonValueKind.Object when content.Text("refusal") is null && content.Text("type") is not ("thinking" or "reasoning") =>
            content.RawText(),
        _ => null,
    };

    private static string? ThinkingOfPart(JsonElement part) => part.Text("type") is not ("thinking" or "reasoning") ? null
        : part.Text("thinking") ?? Joined(part.Member("thinking"), TextOfPart) ?? part.Text("text");

    private static string? Joined(JsonElement content, Func<JsonElement, string?> read)
    {
        if (content.ValueKind == JsonValueKind.Object)
        {
            return read(content);
        }

        string? text = null;
        foreach (JsonElement part in content.ValueKind == JsonValueKind.Array ? content.EnumerateArray() : default)
        {
            text = read(part) is { } more ? text + more : text;
        }

        return text;
    }

    private static void AddTo(List<string> texts, string? text)
    {
        if (text is not null)
        {
            texts.Add(text);
        }
    }
}

/// <summary>Represents what a model said.</summary>
/// <param name="Text">The text; <see langword="null"/> if there is none.</param>
/// <param name="Refusal">Why the model refused.</param>
/// <param name="Calls">The calls of tools and functions, as they came.</param>
internal readonly record struct Answer(string? Text, string? Refusal, IReadOnlyList<JsonElement> Calls)
{
    /// <summary>Gets the words: the text, otherwise the refusal; both if the refusal follows a text.</summary>
    public string? Words => string.IsNullOrEmpty(Refusal) ? Text : string.IsNullOrEmpty(Text) ? Refusal : $"{Text}\n{Refusal}";

    /// <summary>Gets the calls as a JSON array.</summary>
    public string? CallsAsJson => Calls.Count == 0 ? null : $"[{string.Join(',', Calls.Select(call => call.RawText()))}]";
}
