using System.Globalization;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Answers <c>/v1/completions</c>: for each prompt its text, as chat completions answer the last message.</summary>
internal static class CompletionsAnswer
{
    private const long UsualTokens = 16; // OpenAI's default
    private const int MaxChoices = 128;

    public static Problem? Write(ReadOnlySpan<byte> body, BodyHash hash, AnswerForm form, JsonOut output, out AnswerFacts facts)
    {
        facts = default;
        Problem? problem = JsonRequest.Parse(body, out JsonDocument document);
        using (document)
        {
            if (problem is not null)
            {
                return problem;
            }

            JsonElement request = document.RootElement;
            string? model = JsonRequest.Text(request, "model");
            long most = JsonRequest.Whole(request, "max_tokens", ref problem) ?? UsualTokens;
            long choices = JsonRequest.Whole(request, "n", ref problem) ?? 1;
            List<string> prompts = Prompts(JsonRequest.Get(request, "prompt"), ref problem);
            if (model is null || problem is not null)
            {
                return model is null ? Problem.Missing("model") : problem;
            }

            if (choices * prompts.Count > MaxChoices)
            {
                return Problem.Invalid("n", $"at most {MaxChoices} choices in all");
            }

            bool echoes = JsonRequest.IsTrue(request, "echo");
            List<Choice> answers = [];
            for (int i = 0; i < prompts.Count * (int)choices; i++)
            {
                string prompt = prompts[i / (int)choices];
                string text = JsonRequest.Cut(JsonRequest.Answer(hash, i, prompt), most, out bool isCut);
                answers.Add(new Choice((echoes ? prompt : "") + text, JsonRequest.Tokens(text), isCut ? "length" : "stop"));
            }

            long prompted = prompts.Sum(JsonRequest.Tokens), completed = answers.Sum(answer => answer.Tokens);
            var usage = new Usage(prompted, completed);
            facts = new AnswerFacts(prompted + Math.Min(most, long.MaxValue / MaxChoices / 2) * answers.Count, completed);
            string id = string.Create(CultureInfo.InvariantCulture, $"cmpl-{hash.High:x16}{hash.Low:x16}");
            if (form.Streams && JsonRequest.IsTrue(request, "stream"))
            {
                bool includesUsage = JsonRequest.IsTrue(JsonRequest.Get(request, "stream_options"), "include_usage");
                int pieces = WriteStream(id, model, answers, includesUsage ? usage : null, form.TokensPerPiece, output);
                facts = facts with { Lead = 1, Pieces = Math.Max(1, pieces) };
            }
            else
            {
                JsonRequest.Write(output, output.IsCompact, writer => WriteBody(writer, id, model, usage, hasUsage: true, answers, null));
            }

            return null;
        }
    }

    // A text, texts, a text as token numbers, or several of these.
    private static List<string> Prompts(JsonElement prompt, ref Problem? problem)
    {
        switch (prompt.ValueKind)
        {
            case JsonValueKind.String:
                return [prompt.GetString()!];
            case JsonValueKind.Array when prompt.GetArrayLength() > 0:
                JsonElement[] parts = [.. prompt.EnumerateArray()];
                if (parts[0].ValueKind == JsonValueKind.Number)
                {
                    return [string.Join(' ', parts.Select(part => part.ToString()))];
                }

                List<string> prompts = [];
                foreach (JsonElement part in parts)
                {
                    prompts.AddRange(Prompts(part, ref problem));
                }

                return prompts;
            case JsonValueKind.Undefined or JsonValueKind.Null:
                problem ??= Problem.Missing("prompt");
                return [];
            default:
                problem ??= Problem.Invalid("prompt", "a text, token numbers, or an array of these");
                return [];
        }
    }

    private static int WriteStream(string id, string model, List<Choice> answers, Usage? usage, int tokensPerPiece, JsonOut output)
    {
        output.MakeCompact();
        int pieces = 0;
        for (int i = 0; i < answers.Count; i++)
        {
            foreach (string piece in JsonRequest.Pieces(answers[i].Text, tokensPerPiece))
            {
                Event(answers[i] with { Text = piece, Reason = null }, i);
                pieces++;
            }

            Event(answers[i] with { Text = "" }, i);
            pieces++;
        }

        if (usage is not null)
        {
            output.Raw("data: "u8);
            JsonRequest.Write(output, compact: true, writer => WriteBody(writer, id, model, usage, hasUsage: true, [], 0));
            output.Raw("\n\n"u8);
        }

        output.Raw("data: [DONE]\n\n"u8);
        return pieces;

        void Event(Choice choice, int index)
        {
            output.Raw("data: "u8);
            JsonRequest.Write(output, compact: true, writer =>
                WriteBody(writer, id, model, null, hasUsage: usage is not null, [choice], index));
            output.Raw("\n\n"u8);
        }
    }

    private static void WriteBody(
        Utf8JsonWriter writer, string id, string model, Usage? usage, bool hasUsage, List<Choice> answers, int? index)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, id);
        writer.WriteString("object"u8, "text_completion"u8);
        writer.WritePropertyName("created"u8);
        writer.WriteRawValue(RequestJson.Created);
        writer.WriteString("model"u8, model);
        writer.WriteStartArray("choices"u8);
        for (int i = 0; i < answers.Count; i++)
        {
            writer.WriteStartObject();
            writer.WriteString("text"u8, answers[i].Text);
            writer.WriteNumber("index"u8, index ?? i);
            writer.WriteNull("logprobs"u8);
            writer.WriteString("finish_reason"u8, answers[i].Reason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        if (usage is not null)
        {
            writer.WriteStartObject("usage"u8);
            writer.WriteNumber("prompt_tokens"u8, usage.Prompt);
            writer.WriteNumber("completion_tokens"u8, usage.Completion);
            writer.WriteNumber("total_tokens"u8, usage.Prompt + usage.Completion);
            writer.WriteEndObject();
        }
        else if (hasUsage)
        {
            writer.WriteNull("usage"u8);
        }

        writer.WriteEndObject();
    }

    private sealed record Choice(string Text, long Tokens, string? Reason);

    private sealed record Usage(long Prompt, long Completion);
}
