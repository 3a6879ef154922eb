namespace FastLLM.Simulator.Answers;

/// <summary>The answer as OpenAI streams it: compact server-sent events that put together say what the plain answer says.</summary>
internal ref partial struct ChatAnswer
{
    private const int TokensPerPiece = 4;
    private const int MaxPieces = 10_000; // per choice; a huge answer comes in larger pieces, or its envelopes would be most of it

    private readonly AnswerFacts WriteStream(BodyHash hash, JsonOut output)
    {
        long tokens = TokensPerChoice(out bool cut);
        output.MakeCompact();

        // A text cannot be longer than its request and 17 bytes, so neither can a token count or a piece.
        JsonOut texts = JsonOut.Rent(compact: true);
        Span<(int At, int End)> rest = stackalloc (int, int)[_choices];
        for (int i = 0; i < _choices; i++)
        {
            rest[i].At = texts.Length;
            WriteText(hash, i, cut, texts);
            rest[i].End = texts.Length;
            WriteEvent(hash, i, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null"u8, default, default, output);
        }

        // The choices take turns, as they do where they are written at the same time.
        long pieceBytes = Math.Max(TokensPerPiece, tokens / MaxPieces) * RequestJson.BytesPerToken;
        int pieces = 0;
        for (bool more = true; more;)
        {
            more = false;
            for (int i = 0; i < _choices; i++)
            {
                (int at, int end) = rest[i];
                if (at < end)
                {
                    ReadOnlySpan<byte> text = texts.Written.Span[at..end];
                    int length = JsonText.Cut(text, pieceBytes);
                    WriteEvent(hash, i, "\"content\":"u8, text[..length], default, output);
                    pieces++;
                    rest[i].At += length;
                    more |= rest[i].At < end;
                }
            }
        }

        texts.Return();
        for (int i = 0; i < _choices; i++)
        {
            WriteEvent(hash, i, default, default, cut ? "length"u8 : "stop"u8, output);
        }

        if (_includeUsage)
        {
            output.Raw("data: "u8);
            output.Open('{');
            WriteHead(hash, "chat.completion.chunk"u8, output);
            output.Name("choices"u8);
            output.Raw("[]"u8);
            WriteUsage(tokens, output);
            EndEvent(output);
        }

        output.Raw("data: [DONE]\n\n"u8);
        return Facts(tokens) with { Lead = _choices, Pieces = pieces };
    }

    /// <summary>Writes one event: the delta's members as they stand in <paramref name="delta"/>, followed by the text that the last of them may ask for.</summary>
    private readonly void WriteEvent(BodyHash hash, int choice, ReadOnlySpan<byte> delta, ReadOnlySpan<byte> text, ReadOnlySpan<byte> finishReason, JsonOut output)
    {
        output.Raw("data: "u8);
        output.Open('{');
        WriteHead(hash, "chat.completion.chunk"u8, output);
        output.Raw(",\"choices\":[{\"index\":"u8);
        output.Number(choice);
        output.Raw(",\"delta\":{"u8);
        output.Raw(delta);
        if (!text.IsEmpty)
        {
            output.String(text);
        }

        output.Raw("},\"logprobs\":null,\"finish_reason\":"u8);
        output.StringOrNull(finishReason);
        output.Raw("}]"u8);
        if (_includeUsage)
        {
            output.Raw(",\"usage\":null"u8);
        }

        EndEvent(output);
    }

    private static void EndEvent(JsonOut output)
    {
        output.Raw(",\"service_tier\":\"default\"}\n\n"u8);
    }
}
