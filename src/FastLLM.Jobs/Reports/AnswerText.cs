using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Reports;

/// <summary>Turns an answer into text for people: words, refusal, tool calls; for vectors, their number.</summary>
internal static class AnswerText
{
    /// <summary>Reads the body of a successful answer of any known endpoint. The body of another endpoint is returned as it is.</summary>
    public static string Of(JsonElement body)
    {
        var text = new StringBuilder();
        foreach (JsonElement choice in body.Elements("choices"))
        {
            AddChoice(text, choice);
        }

        foreach (JsonElement item in body.Elements("output"))
        {
            AddPart(text, item);
        }

        if (text.Length == 0 && body.Member("data") is { ValueKind: JsonValueKind.Array } data)
        {
            AddVectors(text, data);
        }

        return text.Length > 0 || body.ValueKind == JsonValueKind.Undefined ? text.ToString() : body.RawText();
    }

    private static void AddChoice(StringBuilder text, JsonElement choice)
    {
        if (text.Length > 0)
        {
            text.Append("\n\n— another choice —\n\n");
        }

        if (choice.Text("text") is { } words)
        {
            text.Append(words);
        }
        else
        {
            AddPart(text, choice.Member("message"));
        }
    }

    // A message, an item of a response's output, or a part of either.
    private static void AddPart(StringBuilder text, JsonElement part)
    {
        Add(text, part.Text("text") ?? part.Text("content"));
        Add(text, part.Text("refusal"));
        foreach (JsonElement inner in part.Elements("content"))
        {
            AddPart(text, inner);
        }

        AddCall(text, part);
        AddCall(text, part.Member("function_call"));
        foreach (JsonElement call in part.Elements("tool_calls"))
        {
            AddCall(text, call.Member("function") is { ValueKind: JsonValueKind.Object } function ? function : call);
        }
    }

    private static void AddCall(StringBuilder text, JsonElement call)
    {
        if (call.Text("name") is { } name && call.Text("arguments") is { } arguments)
        {
            Add(text, $"{name}({arguments})");
        }
    }

    private static void AddVectors(StringBuilder text, JsonElement data)
    {
        int vectors = data.GetArrayLength();
        text.Append(CultureInfo.InvariantCulture, $"{vectors} vector{(vectors == 1 ? "" : "s")}");
        if (vectors > 0 && data[0].Member("embedding") is { ValueKind: JsonValueKind.Array } numbers)
        {
            text.Append(CultureInfo.InvariantCulture, $" of {numbers.GetArrayLength()} numbers");
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
