using System.Globalization;
using System.Text;
using System.Text.Json;

namespace FastLLM.Jobs.Reports;

/// <summary>What an answer says, as a person would read it: words, refusal, tools called; for vectors, how many.</summary>
internal static class AnswerText
{
    /// <summary>Reads the body of a success, of any of the known endpoints; of another one, the body as it is.</summary>
    public static string Of(JsonElement body)
    {
        var text = new StringBuilder();
        if (Text.Member(body, "choices") is { ValueKind: JsonValueKind.Array } choices)
        {
            foreach (JsonElement choice in choices.EnumerateArray())
            {
                AddChoice(text, choice);
            }
        }
        else if (Text.Member(body, "output") is { ValueKind: JsonValueKind.Array } output)
        {
            foreach (JsonElement item in output.EnumerateArray())
            {
                AddPart(text, item);
            }
        }
        else if (Text.Member(body, "data") is { ValueKind: JsonValueKind.Array } data)
        {
            AddVectors(text, data);
        }

        return text.Length > 0 || body.ValueKind == JsonValueKind.Undefined ? text.ToString() : body.GetRawText();
    }

    private static void AddChoice(StringBuilder text, JsonElement choice)
    {
        if (text.Length > 0)
        {
            text.Append("\n\n— another choice —\n\n");
        }

        if (Text.Of(choice, "text") is { } words)
        {
            text.Append(words);
        }
        else if (Text.Member(choice, "message") is { } message)
        {
            AddPart(text, message);
        }
    }

    // A message, an item of a response's output, or a part of either.
    private static void AddPart(StringBuilder text, JsonElement part)
    {
        Add(text, Text.Of(part, "text") ?? Text.Of(part, "content"));
        Add(text, Text.Of(part, "refusal"));
        if (Text.Member(part, "content") is { ValueKind: JsonValueKind.Array } parts)
        {
            foreach (JsonElement inner in parts.EnumerateArray())
            {
                AddPart(text, inner);
            }
        }

        AddCall(text, part);
        if (Text.Member(part, "function_call") is { } old)
        {
            AddCall(text, old);
        }

        if (Text.Member(part, "tool_calls") is { ValueKind: JsonValueKind.Array } calls)
        {
            foreach (JsonElement call in calls.EnumerateArray())
            {
                AddCall(text, Text.Member(call, "function") ?? call);
            }
        }
    }

    private static void AddCall(StringBuilder text, JsonElement call)
    {
        if (Text.Of(call, "name") is { } name && Text.Of(call, "arguments") is { } arguments)
        {
            Add(text, $"{name}({arguments})");
        }
    }

    private static void AddVectors(StringBuilder text, JsonElement data)
    {
        int vectors = data.GetArrayLength();
        int? length = vectors > 0 && Text.Member(data[0], "embedding") is { ValueKind: JsonValueKind.Array } numbers ? numbers.GetArrayLength() : null;
        text.Append(CultureInfo.InvariantCulture, $"{vectors} vector{(vectors == 1 ? "" : "s")}");
        if (length is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $" of {length} numbers");
        }
    }

    private static void Add(StringBuilder text, string? words)
    {
        if (!string.IsNullOrEmpty(words))
        {
            text.Append(text.Length > 0 && text[^1] != '\n' ? "\n" : "").Append(words);
        }
    }
}
