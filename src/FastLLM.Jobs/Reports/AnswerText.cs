using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Json;
using FastLLM.Responses;

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

        if (AnswerReader.HasOutput(body))
        {
            AddAnswer(text, AnswerReader.OfOutput(body));
        }

        if (text.Length == 0 && body.Member("data") is { ValueKind: JsonValueKind.Array } data)
        {
            AddVectors(text, data);
        }

        bool isKnown = body.ValueKind != JsonValueKind.Object
            || body.TryGetProperty("choices", out _) || body.TryGetProperty("output", out _);
        return text.Length > 0 || isKnown ? text.ToString() : body.RawText();
    }

    private static void AddChoice(StringBuilder text, JsonElement choice)
    {
        if (text.Length > 0)
        {
            text.Append("\n\n— another choice —\n\n");
        }

        AddAnswer(text, AnswerReader.OfChoice(choice));
    }

    private static void AddAnswer(StringBuilder text, in Answer answer)
    {
        Add(text, answer.Words);
        foreach (JsonElement call in answer.Calls)
        {
            (string? name, string? arguments) = AnswerReader.FunctionOf(call);
            Add(text, name is null ? call.RawText() : $"{name}({arguments})");
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
