namespace FastLLM.Simulator.Answers;

/// <summary>Writes an answer as OpenAI streams it: compact server-sent events that put together say what the plain answer says.</summary>
internal static class ChatStream
{
    /// <summary>The part of a message that a stretch of text belongs to.</summary>
    private enum Part
    {
        Content,
        Refusal,
        Reasoning,
        Arguments,
    }

    public static AnswerFacts Write(in ChatContent content, JsonOut output)
    {
        output.MakeCompact();

        // A text cannot be longer than its request and 17 bytes, so neither can a token count or a piece.
        JsonOut texts = JsonOut.Rent(compact: true);
        int choices = content.Request.Choices;
        int perChoice = (content.Request.Reasons ? 1 : 0) + Math.Max(1, content.Calls);
        var all = new Stretch[choices * perChoice];
        for (int i = 0; i < choices; i++)
        {
            WriteTexts(content, i, texts, all.AsSpan(i * perChoice, perChoice));
            BeginEvent(content, i, output);
            output.Raw("\"role\":\"assistant\",\"content\":"u8);
            output.Raw(content.Calls > 0 ? "null"u8 : "\"\""u8);
            output.Raw(",\"refusal\":null"u8);
            EndEvent(content, default, output);
        }

        // The choices take turns, as they do where they are written at the same time.
        int pieces = 0;
        for (bool more = true; more;)
        {
            more = false;
            for (int i = 0; i < choices; i++)
            {
                foreach (ref Stretch stretch in all.AsSpan(i * perChoice, perChoice))
                {
                    if (stretch.At < stretch.End || (stretch.Part == Part.Arguments && !stretch.HasBegun))
                    {
                        WritePiece(content, i, ref stretch, texts.Written.Span, output);
                        pieces++;
                        more = true;
                        break;
                    }
                }
            }
        }

        texts.Return();
        for (int i = 0; i < choices; i++)
        {
            BeginEvent(content, i, output);
            EndEvent(content, content.FinishReason, output);
        }

        if (content.Request.IncludeUsage)
        {
            output.Raw("data: "u8);
            output.Open('{');
            content.WriteHead("chat.completion.chunk"u8, output);
            output.Raw(",\"choices\":[]"u8);
            content.WriteUsage(output);
            output.Raw(",\"service_tier\":\"default\"}\n\n"u8);
        }

        output.Raw("data: [DONE]\n\n"u8);
        return content.Facts with { Lead = choices, Pieces = Math.Max(1, pieces) };
    }

    private static void WriteTexts(in ChatContent content, int choice, JsonOut texts, Span<Stretch> stretches)
    {
        int used = 0;
        if (content.Request.Reasons)
        {
            int start = texts.Length;
            content.WriteReasoning(choice, texts);
            stretches[used++] = new Stretch(Part.Reasoning, 0, start, texts.Length);
        }

        for (int call = 0; call < content.Calls; call++)
        {
            int start = texts.Length;
            content.WriteArguments(choice, call, texts);
            stretches[used++] = new Stretch(Part.Arguments, call, start, texts.Length);
        }

        if (content.Calls == 0)
        {
            int start = texts.Length;
            content.WriteText(choice, texts);
            stretches[used] = new Stretch(content.Refuses ? Part.Refusal : Part.Content, 0, start, texts.Length);
        }
    }

    private static void WritePiece(in ChatContent content, int choice, ref Stretch stretch, ReadOnlySpan<byte> texts, JsonOut output)
    {
        ReadOnlySpan<byte> text = texts[stretch.At..stretch.End];
        bool beginsCall = stretch.Part == Part.Arguments && !stretch.HasBegun;
        text = beginsCall ? default : text[..JsonText.Cut(text, content.PieceBytes)];
        stretch.HasBegun = true;
        stretch.At += text.Length;

        BeginEvent(content, choice, output);
        if (stretch.Part == Part.Arguments)
        {
            WriteCallPiece(content, choice, stretch.Call, beginsCall, text, output);
            EndEvent(content, default, output);
            return;
        }

        output.Raw(stretch.Part switch
        {
            Part.Refusal => "\"refusal\":"u8,
            Part.Reasoning => "\"reasoning_content\":"u8,
            _ => "\"content\":"u8,
        });
        output.String(text);
        if (content.Request.Logprobs && stretch.Part == Part.Content)
        {
            output.Raw("},\"logprobs\":{\"content\":["u8);
            stretch.Tokens = content.WriteLogprobs(choice, stretch.Tokens, text, isFirst: true, output);
            output.Raw("],\"refusal\":null}"u8);
            EndChoice(content, default, output);
        }
        else
        {
            EndEvent(content, default, output);
        }
    }

    private static void WriteCallPiece(in ChatContent content, int choice, int call, bool begins, ReadOnlySpan<byte> text, JsonOut output)
    {
        output.Raw("\"tool_calls\":[{\"index\":"u8);
        output.Number(call);
        if (begins)
        {
            output.Raw(",\"id\":"u8);
            content.WriteCallId(choice, call, output);
            output.Raw(",\"type\":\"function\",\"function\":{\"name\":"u8);
            output.String(content.Request.Tools.CallName(call));
            output.Raw(",\"arguments\":"u8);
        }
        else
        {
            output.Raw(",\"function\":{\"arguments\":"u8);
        }

        output.String(text);
        output.Raw("}}]"u8);
    }

    /// <summary>Writes an event up to the members of its delta.</summary>
    private static void BeginEvent(in ChatContent content, int choice, JsonOut output)
    {
        output.Raw("data: "u8);
        output.Open('{');
        content.WriteHead("chat.completion.chunk"u8, output);
        output.Raw(",\"choices\":[{\"index\":"u8);
        output.Number(choice);
        output.Raw(",\"delta\":{"u8);
    }

    /// <summary>Writes what follows a delta's members.</summary>
    private static void EndEvent(in ChatContent content, ReadOnlySpan<byte> finishReason, JsonOut output)
    {
        output.Raw("},\"logprobs\":null"u8);
        EndChoice(content, finishReason, output);
    }

    private static void EndChoice(in ChatContent content, ReadOnlySpan<byte> finishReason, JsonOut output)
    {
        output.Raw(",\"finish_reason\":"u8);
        output.StringOrNull(finishReason);
        output.Raw("}]"u8);
        if (content.Request.IncludeUsage)
        {
            output.Raw(",\"usage\":null"u8);
        }

        output.Raw(",\"service_tier\":\"default\"}\n\n"u8);
    }

    /// <summary>A stretch of text of one choice, and how far it is written.</summary>
    private record struct Stretch(Part Part, int Call, int At, int End)
    {
        public bool HasBegun { get; set; }

        public int Tokens { get; set; }
    }
}
