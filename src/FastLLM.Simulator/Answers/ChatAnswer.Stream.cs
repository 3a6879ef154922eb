namespace FastLLM.Simulator.Answers;

/// <summary>The answer as OpenAI streams it: compact server-sent events that put together say what the plain answer says.</summary>
internal ref partial struct ChatAnswer
{
    private const int TokensPerPiece = 4;
    private const int MaxPieces = 10_000; // per choice; a huge answer comes in larger pieces, or its envelopes would be most of it

    /// <summary>What a stretch of an answer's text is streamed as.</summary>
    private enum Part
    {
        Content,
        Refusal,
        Reasoning,
        Arguments,
    }

    /// <summary>A stretch of text of one choice, and how far it is written.</summary>
    private record struct Stretch(Part Part, int Call, int At, int End, bool HasBegun, int Tokens);

    private readonly AnswerFacts WriteStream(BodyHash hash, JsonOut output)
    {
        long tokens = TokensPerChoice(out bool cut);
        output.MakeCompact();

        // A text cannot be longer than its request and 17 bytes, so neither can a token count or a piece.
        JsonOut texts = JsonOut.Rent(compact: true);
        int perChoice = (_reasons ? 1 : 0) + Math.Max(1, Calls);
        var all = new Stretch[_choices * perChoice];
        for (int i = 0; i < _choices; i++)
        {
            WriteTexts(hash, i, cut, texts, all.AsSpan(i * perChoice, perChoice));
            BeginEvent(hash, i, output);
            output.Raw(Calls > 0 ? "\"role\":\"assistant\",\"content\":null,\"refusal\":null"u8 : "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null"u8);
            EndEvent(default, output);
        }

        // The choices take turns, as they do where they are written at the same time.
        int pieces = 0;
        for (bool more = true; more;)
        {
            more = false;
            for (int i = 0; i < _choices; i++)
            {
                foreach (ref Stretch stretch in all.AsSpan(i * perChoice, perChoice))
                {
                    if (stretch.At < stretch.End || (stretch.Part == Part.Arguments && !stretch.HasBegun))
                    {
                        WritePiece(hash, i, ref stretch, texts.Written.Span, PieceBytes(tokens), output);
                        pieces++;
                        more = true;
                        break;
                    }
                }
            }
        }

        texts.Return();
        for (int i = 0; i < _choices; i++)
        {
            BeginEvent(hash, i, output);
            EndEvent(FinishReason(cut), output);
        }

        if (_includeUsage)
        {
            output.Raw("data: "u8);
            output.Open('{');
            WriteHead(hash, "chat.completion.chunk"u8, output);
            output.Name("choices"u8);
            output.Raw("[]"u8);
            WriteUsage(tokens, output);
            output.Raw(",\"service_tier\":\"default\"}\n\n"u8);
        }

        output.Raw("data: [DONE]\n\n"u8);
        return Facts(tokens) with { Lead = _choices, Pieces = Math.Max(1, pieces) };
    }

    private static long PieceBytes(long tokens) => Math.Max(TokensPerPiece, tokens / MaxPieces) * RequestJson.BytesPerToken;

    private readonly void WriteTexts(BodyHash hash, int choice, bool cut, JsonOut texts, Span<Stretch> stretches)
    {
        int used = 0;
        if (_reasons)
        {
            int start = texts.Length;
            WriteReasoning(hash, choice, texts);
            stretches[used++] = new Stretch(Part.Reasoning, 0, start, texts.Length, false, 0);
        }

        for (int call = 0; call < Calls; call++)
        {
            int start = texts.Length;
            WriteArguments(hash, choice, cut, texts);
            stretches[used++] = new Stretch(Part.Arguments, call, start, texts.Length, false, 0);
        }

        if (Calls == 0)
        {
            int start = texts.Length;
            WriteText(hash, choice, cut, texts);
            stretches[used] = new Stretch(Refuses ? Part.Refusal : Part.Content, 0, start, texts.Length, false, 0);
        }
    }

    private readonly void WritePiece(BodyHash hash, int choice, ref Stretch stretch, ReadOnlySpan<byte> texts, long pieceBytes, JsonOut output)
    {
        ReadOnlySpan<byte> text = texts[stretch.At..stretch.End];
        bool beginsCall = stretch.Part == Part.Arguments && !stretch.HasBegun;
        text = beginsCall ? default : text[..JsonText.Cut(text, pieceBytes)];
        stretch.HasBegun = true;
        stretch.At += text.Length;

        BeginEvent(hash, choice, output);
        if (stretch.Part == Part.Arguments)
        {
            output.Raw("\"tool_calls\":[{\"index\":"u8);
            output.Number(stretch.Call);
            if (beginsCall)
            {
                output.Raw(",\"id\":"u8);
                WriteCallId(hash, choice, stretch.Call, output);
                output.Raw(",\"type\":\"function\""u8);
            }

            output.Raw(",\"function\":{"u8);
            if (beginsCall)
            {
                output.Raw("\"name\":"u8);
                output.String(CallName(stretch.Call));
                output.Raw((byte)',');
            }

            output.Raw("\"arguments\":"u8);
            output.String(text);
            output.Raw("}}]"u8);
            EndEvent(default, output);
            return;
        }

        output.Raw(stretch.Part switch
        {
            Part.Refusal => "\"refusal\":"u8,
            Part.Reasoning => "\"reasoning_content\":"u8,
            _ => "\"content\":"u8,
        });
        output.String(text);
        output.Raw((byte)'}');
        if (_logprobs && stretch.Part == Part.Content)
        {
            output.Raw(",\"logprobs\":{\"content\":["u8);
            stretch.Tokens = WriteLogprobs(hash, choice, stretch.Tokens, text, isFirst: true, output);
            output.Raw("],\"refusal\":null}"u8);
            EndChoice(default, output);
        }
        else
        {
            output.Raw(",\"logprobs\":null"u8);
            EndChoice(default, output);
        }
    }

    /// <summary>Writes an event up to the members of its delta.</summary>
    private readonly void BeginEvent(BodyHash hash, int choice, JsonOut output)
    {
        output.Raw("data: "u8);
        output.Open('{');
        WriteHead(hash, "chat.completion.chunk"u8, output);
        output.Raw(",\"choices\":[{\"index\":"u8);
        output.Number(choice);
        output.Raw(",\"delta\":{"u8);
    }

    /// <summary>Writes what follows a delta's members.</summary>
    private readonly void EndEvent(ReadOnlySpan<byte> finishReason, JsonOut output)
    {
        output.Raw("},\"logprobs\":null"u8);
        EndChoice(finishReason, output);
    }

    private readonly void EndChoice(ReadOnlySpan<byte> finishReason, JsonOut output)
    {
        output.Raw(",\"finish_reason\":"u8);
        output.StringOrNull(finishReason);
        output.Raw("}]"u8);
        if (_includeUsage)
        {
            output.Raw(",\"usage\":null"u8);
        }

        output.Raw(",\"service_tier\":\"default\"}\n\n"u8);
    }
}
