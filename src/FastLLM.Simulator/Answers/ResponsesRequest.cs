using System.Globalization;
using System.Text;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Represents a request to <c>/v1/responses</c>, and what its answer says: the rules are those of chat completions.</summary>
internal sealed class ResponsesRequest
{
    private const int MaxCalls = 8;
    private const long TokensOfReasoning = 5;

    private readonly BodyHash _hash;
    private string _lastUser = "";
    private string? _final; // the text of the last item, if it is the user's
    private long _promptBytes;

    private ResponsesRequest(JsonElement json, BodyHash hash)
    {
        Json = json;
        _hash = hash;
    }

    public JsonElement Json { get; }

    public string Model { get; private set; } = "";

    public long? MaxTokens { get; private set; }

    /// <summary>Gets the text of the answer; <see langword="null"/> where tools are called.</summary>
    public string? Text { get; private set; }

    /// <summary>Gets the calls: names and arguments.</summary>
    public List<(string Name, string Arguments)> Calls { get; } = [];

    /// <summary>Gets the reasoning; <see langword="null"/> for none.</summary>
    public string? Reasoning { get; private set; }

    public bool Refuses => Model == "simulator-refusal";

    /// <summary>Gets a value indicating whether the token limit cuts the answer.</summary>
    public bool IsCut { get; private set; }

    public long PromptTokens => RequestJson.Tokens(_promptBytes);

    public long ReasoningTokens => Reasoning is null ? 0 : TokensOfReasoning;

    public long OutputTokens =>
        (Text is null ? Calls.Sum(call => JsonRequest.Tokens(call.Arguments)) : JsonRequest.Tokens(Text)) + ReasoningTokens;

    /// <summary>Gets the digits of an id.</summary>
    public string Digits(ulong number) => string.Create(
        CultureInfo.InvariantCulture, $"{_hash.Draw(number, 300):x16}{_hash.Draw(number, 301):x16}");

    /// <returns>What is wrong with the request, if anything.</returns>
    public static Problem? Read(JsonElement json, BodyHash hash, out ResponsesRequest request)
    {
        request = new ResponsesRequest(json, hash);
        return request.Read() ?? request.Answer();
    }

    private Problem? Read()
    {
        if (JsonRequest.Text(Json, "model") is not { } model)
        {
            return Problem.Missing("model");
        }

        if (JsonRequest.Text(Json, "previous_response_id") is { } previous)
        {
            return new Problem(400, $"Previous response with id '{previous}' not found. The simulator keeps no responses.",
                Param: "previous_response_id", Code: "previous_response_not_found");
        }

        Model = model;
        Problem? problem = null;
        MaxTokens = JsonRequest.Whole(Json, "max_output_tokens", ref problem);
        _promptBytes = Encoding.UTF8.GetByteCount(JsonRequest.Text(Json, "instructions") ?? "");
        JsonElement input = JsonRequest.Get(Json, "input");
        switch (input.ValueKind)
        {
            case JsonValueKind.String:
                _lastUser = _final = input.GetString()!;
                _promptBytes += Encoding.UTF8.GetByteCount(_lastUser);
                return problem;
            case JsonValueKind.Array:
                foreach (JsonElement item in input.EnumerateArray())
                {
                    problem ??= ReadItem(item);
                }

                return problem ?? (input.GetArrayLength() == 0 ? Problem.Invalid("input", "at least one item") : null);
            case JsonValueKind.Undefined or JsonValueKind.Null:
                return Problem.Missing("input");
            default:
                return Problem.Invalid("input", "a text or an array of items");
        }
    }

    // A message, a call, the output of a call; other items have no text.
    private Problem? ReadItem(JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object)
        {
            return Problem.Invalid("input", "an array of objects");
        }

        string text = TextOf(JsonRequest.Get(item, "content")) + JsonRequest.Text(item, "arguments")
            + TextOf(JsonRequest.Get(item, "output"));
        _promptBytes += Encoding.UTF8.GetByteCount(text);
        bool isUser = JsonRequest.Text(item, "role") == "user";
        _lastUser = isUser ? text : _lastUser;
        _final = isUser ? text : null;
        return null;
    }

    private static string TextOf(JsonElement content) => content.ValueKind switch
    {
        JsonValueKind.String => content.GetString()!,
        JsonValueKind.Array => string.Concat(content.EnumerateArray().Select(part => JsonRequest.Text(part, "text"))),
        _ => "",
    };

    private Problem? Answer()
    {
        if (JsonRequest.Text(JsonRequest.Get(Json, "reasoning"), "effort") is not (null or "none"))
        {
            Reasoning = string.Create(CultureInfo.InvariantCulture, $"Thinking \"{_hash.Draw(0, 7) >> 32:x8}\".");
        }

        try
        {
            List<JsonElement> called = Called();
            for (int call = 0; call < called.Count; call++)
            {
                byte[]? json = MadeTexts.Arguments(JsonRequest.Get(called[call], "parameters"), _hash, 0, call);
                string arguments = json is not null ? Encoding.UTF8.GetString(json)
                    : $$"""{"text":"{{MadeTexts.Escape(JsonRequest.Answer(_hash, 0, _lastUser))}}"}""";
                Calls.Add((JsonRequest.Text(called[call], "name")!, Cut(arguments)));
            }
        }
        catch (SchemaException e)
        {
            return MadeTexts.Impossible("tools.parameters", e);
        }

        if (Calls.Count > 0)
        {
            return null;
        }

        Problem? problem = null;
        string text = JsonRequest.Answer(_hash, 0, _lastUser);
        JsonElement format = JsonRequest.Get(JsonRequest.Get(Json, "text"), "format");
        byte[]? made = Refuses ? null : MadeTexts.Answer(format, "text.format", _hash, 0, text, out problem);
        Text = Cut(made is null ? text : Encoding.UTF8.GetString(made));
        return problem;
    }

    private string Cut(string text)
    {
        text = JsonRequest.Cut(text, MaxTokens ?? long.MaxValue, out bool isCut);
        IsCut |= isCut;
        return text;
    }

    private List<JsonElement> Called()
    {
        JsonElement tools = JsonRequest.Get(Json, "tools"), choice = JsonRequest.Get(Json, "tool_choice");
        JsonElement[] functions = tools.ValueKind != JsonValueKind.Array ? []
            : [.. tools.EnumerateArray().Where(tool =>
                JsonRequest.Text(tool, "type") == "function" && JsonRequest.Text(tool, "name") is { Length: > 0 })];
        string mode = choice.ValueKind == JsonValueKind.String ? choice.GetString()! : "auto";
        int most = JsonRequest.Get(Json, "parallel_tool_calls").ValueKind == JsonValueKind.False ? 1 : MaxCalls;
        IEnumerable<JsonElement> called = JsonRequest.Text(choice, "name") is { } named
            ? functions.Where(function => JsonRequest.Text(function, "name") == named)
            : mode switch
            {
                "none" => [],
                "required" => functions,
                _ => functions.Where(function => _final?.Contains(JsonRequest.Text(function, "name")!, StringComparison.Ordinal) is true),
            };
        return [.. called.Take(most)];
    }
}
