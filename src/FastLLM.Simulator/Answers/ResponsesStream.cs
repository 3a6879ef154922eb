using System.Text;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Writes a response as the numbered events of a stream.</summary>
internal sealed class ResponsesStream(ResponsesRequest request, JsonOut output)
{
    private int _events;
    private int _firstDelta;
    private int _lastDelta;

    /// <returns>The number of events before the first piece of text, and from there to the last one.</returns>
    public (int Lead, int Pieces) Write(int tokensPerPiece)
    {
        output.MakeCompact();
        Event("response.created", writer => WithResponse(writer, isDone: false));
        Event("response.in_progress", writer => WithResponse(writer, isDone: false));
        for (int item = 0; item < ResponsesAnswer.CountItems(request); item++)
        {
            WriteItem(item, tokensPerPiece);
        }

        Event(request.IsCut ? "response.incomplete" : "response.completed", writer => WithResponse(writer, isDone: true));
        return (_firstDelta, Math.Max(1, _lastDelta - _firstDelta + 1));
    }

    private void WriteItem(int item, int tokensPerPiece)
    {
        Event("response.output_item.added", writer => WithItem(writer, item, isDone: false));
        switch (ResponsesAnswer.CallOf(request, item))
        {
            case -2:
                Event("response.reasoning_summary_part.added", writer => At(writer, item, "summary_index", w => WithSummary(w, "")));
                Deltas(request.Reasoning!, tokensPerPiece, "response.reasoning_summary_text.delta", item, "summary_index");
                Event("response.reasoning_summary_text.done", writer =>
                    At(writer, item, "summary_index", w => w.WriteString("text", request.Reasoning)));
                Event("response.reasoning_summary_part.done", writer =>
                    At(writer, item, "summary_index", w => WithSummary(w, request.Reasoning!)));
                break;
            case -1:
                string kind = request.Refuses ? "refusal" : "output_text";
                Event("response.content_part.added", writer => At(writer, item, "content_index", w => WithPart(w, "")));
                Deltas(request.Text!, tokensPerPiece, $"response.{kind}.delta", item, "content_index");
                Event($"response.{kind}.done", writer => At(writer, item, "content_index", w =>
                {
                    w.WriteString(request.Refuses ? "refusal" : "text", request.Text);
                    WithLogprobs(w);
                }));
                Event("response.content_part.done", writer => At(writer, item, "content_index", w => WithPart(w, request.Text!)));
                break;
            case var call:
                Deltas(request.Calls[call].Arguments, tokensPerPiece, "response.function_call_arguments.delta", item, null);
                Event("response.function_call_arguments.done", writer => At(writer, item, null, w =>
                {
                    w.WriteString("arguments", request.Calls[call].Arguments);
                    w.WriteString("name", request.Calls[call].Name);
                }));
                break;
        }

        Event("response.output_item.done", writer => WithItem(writer, item, isDone: true));
    }

    private void Deltas(string text, int tokensPerPiece, string name, int item, string? index)
    {
        foreach (string piece in JsonRequest.Pieces(text, tokensPerPiece))
        {
            _firstDelta = _firstDelta == 0 ? _events : _firstDelta;
            _lastDelta = _events;
            Event(name, writer => At(writer, item, index, w =>
            {
                w.WriteString("delta", piece);
                if (name == "response.output_text.delta")
                {
                    WithLogprobs(w);
                }
            }));
        }
    }

    private void Event(string name, Action<Utf8JsonWriter> write)
    {
        output.Raw("event: "u8);
        output.Raw(Encoding.UTF8.GetBytes(name));
        output.Raw("\ndata: "u8);
        JsonRequest.Write(output, compact: true, writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, name);
            writer.WriteNumber("sequence_number"u8, _events);
            write(writer);
            writer.WriteEndObject();
        });
        output.Raw("\n\n"u8);
        _events++;
    }

    private void At(Utf8JsonWriter writer, int item, string? index, Action<Utf8JsonWriter> write)
    {
        writer.WriteString("item_id"u8, ResponsesAnswer.IdOf(request, item));
        writer.WriteNumber("output_index"u8, item);
        if (index is not null)
        {
            writer.WriteNumber(index, 0);
        }

        write(writer);
    }

    private void WithResponse(Utf8JsonWriter writer, bool isDone)
    {
        writer.WritePropertyName("response"u8);
        ResponsesAnswer.WriteResponse(writer, request, isDone);
    }

    private void WithItem(Utf8JsonWriter writer, int item, bool isDone)
    {
        writer.WriteNumber("output_index"u8, item);
        writer.WritePropertyName("item"u8);
        ResponsesAnswer.WriteItem(writer, request, item, isDone);
    }

    private void WithPart(Utf8JsonWriter writer, string text)
    {
        writer.WritePropertyName("part"u8);
        ResponsesAnswer.WritePart(writer, request, text);
    }

    private static void WithSummary(Utf8JsonWriter writer, string text)
    {
        writer.WritePropertyName("part"u8);
        ResponsesAnswer.WriteSummary(writer, text);
    }

    private void WithLogprobs(Utf8JsonWriter writer)
    {
        if (!request.Refuses)
        {
            writer.WriteStartArray("logprobs"u8);
            writer.WriteEndArray();
        }
    }
}
