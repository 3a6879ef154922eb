using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Answers <c>/v1/responses</c>: whole, or as the events of a stream.</summary>
internal static class ResponsesAnswer
{
    public static Problem? Write(ReadOnlySpan<byte> body, BodyHash hash, AnswerForm form, JsonOut output, out AnswerFacts facts)
    {
        facts = default;
        Problem? problem = JsonRequest.Parse(body, out JsonDocument document);
        using (document)
        {
            if (problem is not null
                || (problem = ResponsesRequest.Read(document.RootElement, hash, out ResponsesRequest request)) is not null)
            {
                return problem;
            }

            facts = new AnswerFacts(
                request.PromptTokens + Math.Min(request.MaxTokens ?? request.OutputTokens, long.MaxValue / 2), request.OutputTokens);
            if (form.Streams && JsonRequest.IsTrue(document.RootElement, "stream"))
            {
                (int lead, int pieces) = new ResponsesStream(request, output).Write(form.TokensPerPiece);
                facts = facts with { Lead = lead, Pieces = pieces };
            }
            else
            {
                JsonRequest.Write(output, output.IsCompact, writer => WriteResponse(writer, request, isDone: true));
            }

            return null;
        }
    }

    /// <summary>Writes the response: done, or as it is when a stream begins.</summary>
    public static void WriteResponse(Utf8JsonWriter writer, ResponsesRequest request, bool isDone)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, $"resp_{request.Digits(0)}");
        writer.WriteString("object"u8, "response"u8);
        writer.WritePropertyName("created_at"u8);
        writer.WriteRawValue(RequestJson.Created);
        writer.WriteString("status"u8, !isDone ? "in_progress" : request.IsCut ? "incomplete" : "completed");
        writer.WriteNull("error"u8);
        if (isDone && request.IsCut)
        {
            writer.WriteStartObject("incomplete_details"u8);
            writer.WriteString("reason"u8, "max_output_tokens"u8);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteNull("incomplete_details"u8);
        }

        JsonRequest.Echo(writer, request.Json, "instructions", "null");
        JsonRequest.Echo(writer, request.Json, "max_output_tokens", "null");
        writer.WriteString("model"u8, request.Model);
        writer.WriteStartArray("output"u8);
        for (int item = 0; isDone && item < CountItems(request); item++)
        {
            WriteItem(writer, request, item, isDone: true);
        }

        writer.WriteEndArray();
        JsonRequest.Echo(writer, request.Json, "parallel_tool_calls", "true");
        writer.WriteNull("previous_response_id"u8);
        JsonRequest.Echo(writer, request.Json, "reasoning", """{"effort":null,"summary":null}""");
        JsonRequest.Echo(writer, request.Json, "store", "false");
        JsonRequest.Echo(writer, request.Json, "temperature", "1");
        JsonRequest.Echo(writer, request.Json, "text", """{"format":{"type":"text"}}""");
        JsonRequest.Echo(writer, request.Json, "tool_choice", "\"auto\"");
        JsonRequest.Echo(writer, request.Json, "tools", "[]");
        JsonRequest.Echo(writer, request.Json, "top_p", "1");
        JsonRequest.Echo(writer, request.Json, "truncation", "\"disabled\"");
        WriteUsage(writer, request, isDone);
        JsonRequest.Echo(writer, request.Json, "user", "null");
        JsonRequest.Echo(writer, request.Json, "metadata", "{}");
        writer.WriteEndObject();
    }

    /// <summary>Computes the number of items: the reasoning, and a message or the calls.</summary>
    public static int CountItems(ResponsesRequest request) => (request.Reasoning is null ? 0 : 1) + Math.Max(1, request.Calls.Count);

    /// <summary>Returns the call that an item is; -1 for a message, -2 for the reasoning.</summary>
    public static int CallOf(ResponsesRequest request, int item) =>
        request.Reasoning is not null && item-- == 0 ? -2 : request.Calls.Count > 0 ? item : -1;

    public static string IdOf(ResponsesRequest request, int item) => CallOf(request, item) switch
    {
        -2 => $"rs_{request.Digits(1)}",
        -1 => $"msg_{request.Digits(2)}",
        var call => $"fc_{request.Digits(10 + (ulong)call)}",
    };

    /// <summary>Writes an item: done, or as it is when it begins.</summary>
    public static void WriteItem(Utf8JsonWriter writer, ResponsesRequest request, int item, bool isDone)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, IdOf(request, item));
        string status = !isDone ? "in_progress" : request.IsCut ? "incomplete" : "completed";
        switch (CallOf(request, item))
        {
            case -2:
                writer.WriteString("type"u8, "reasoning"u8);
                writer.WriteStartArray("summary"u8);
                if (isDone)
                {
                    WriteSummary(writer, request.Reasoning!);
                }

                writer.WriteEndArray();
                break;
            case -1:
                writer.WriteString("type"u8, "message"u8);
                writer.WriteString("status"u8, status);
                writer.WriteStartArray("content"u8);
                if (isDone)
                {
                    WritePart(writer, request, request.Text!);
                }

                writer.WriteEndArray();
                writer.WriteString("role"u8, "assistant"u8);
                break;
            case var call:
                writer.WriteString("type"u8, "function_call"u8);
                writer.WriteString("status"u8, status);
                writer.WriteString("arguments"u8, isDone ? request.Calls[call].Arguments : "");
                writer.WriteString("call_id"u8, $"call_{request.Digits(100 + (ulong)call)}");
                writer.WriteString("name"u8, request.Calls[call].Name);
                break;
        }

        writer.WriteEndObject();
    }

    public static void WriteSummary(Utf8JsonWriter writer, string text)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, "summary_text"u8);
        writer.WriteString("text"u8, text);
        writer.WriteEndObject();
    }

    /// <summary>Writes the part of a message: its text, or the refusal.</summary>
    public static void WritePart(Utf8JsonWriter writer, ResponsesRequest request, string text)
    {
        writer.WriteStartObject();
        writer.WriteString("type"u8, request.Refuses ? "refusal"u8 : "output_text"u8);
        if (request.Refuses)
        {
            writer.WriteString("refusal"u8, text);
        }
        else
        {
            writer.WriteStartArray("annotations"u8);
            writer.WriteEndArray();
            writer.WriteStartArray("logprobs"u8);
            writer.WriteEndArray();
            writer.WriteString("text"u8, text);
        }

        writer.WriteEndObject();
    }

    private static void WriteUsage(Utf8JsonWriter writer, ResponsesRequest request, bool isDone)
    {
        if (!isDone)
        {
            writer.WriteNull("usage"u8);
            return;
        }

        writer.WriteStartObject("usage"u8);
        writer.WriteNumber("input_tokens"u8, request.PromptTokens);
        writer.WriteStartObject("input_tokens_details"u8);
        writer.WriteNumber("cached_tokens"u8, 0);
        writer.WriteEndObject();
        writer.WriteNumber("output_tokens"u8, request.OutputTokens);
        writer.WriteStartObject("output_tokens_details"u8);
        writer.WriteNumber("reasoning_tokens"u8, request.ReasoningTokens);
        writer.WriteEndObject();
        writer.WriteNumber("total_tokens"u8, request.PromptTokens + request.OutputTokens);
        writer.WriteEndObject();
    }
}
