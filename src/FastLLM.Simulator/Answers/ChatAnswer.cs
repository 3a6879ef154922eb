namespace FastLLM.Simulator.Answers;

/// <summary>Reads a chat completion request and writes its answer: whole, or as <see cref="ChatStream"/>.</summary>
internal static class ChatAnswer
{
    /// <returns>What is wrong with the request; <see langword="null"/> when the answer is written.</returns>
    public static Problem? Write(ReadOnlySpan<byte> body, BodyHash hash, AnswerForm form, JsonOut output, out AnswerFacts facts)
    {
        facts = default;
        if (ChatRequest.Read(body, out ChatRequest request) is { } problem)
        {
            return problem;
        }

        if (ChatContent.Create(request, hash, form.TokensPerPiece, out ChatContent content) is { } impossible)
        {
            return impossible;
        }

        facts = form.Streams && request.Stream ? ChatStream.Write(content, output) : Write(content, output);
        return null;
    }

    private static AnswerFacts Write(in ChatContent content, JsonOut output)
    {
        output.Open('{');
        content.WriteHead("chat.completion"u8, output);
        output.Open("choices"u8, '[');
        for (int i = 0; i < content.Request.Choices; i++)
        {
            output.Next();
            output.Open('{');
            output.Member("index"u8, i);
            output.Open("message"u8, '{');
            output.Member("role"u8, "assistant"u8);
            (int, int) text = WriteTextOrNull("content"u8, content, i, isNull: content.Refuses, output);
            WriteTextOrNull("refusal"u8, content, i, isNull: !content.Refuses, output);
            WriteReasoning(content, i, output);
            WriteCalls(content, i, output);
            output.Close('}');
            WriteLogprobs(content, i, text, output);
            output.Member("finish_reason"u8, content.FinishReason);
            output.Close('}');
        }

        output.Close(']');
        content.WriteUsage(output);
        output.Member("service_tier"u8, "default"u8);
        output.Close('}');
        return content.Facts;
    }

    // The text is the content or the refusal; where tools are called, neither.
    private static (int At, int End) WriteTextOrNull(
        ReadOnlySpan<byte> name, in ChatContent content, int choice, bool isNull, JsonOut output)
    {
        output.Name(name);
        if (isNull || content.Calls > 0)
        {
            output.Raw("null"u8);
            return default;
        }

        output.Raw((byte)'"');
        int at = output.Length;
        content.WriteText(choice, output);
        int end = output.Length;
        output.Raw((byte)'"');
        return (at, end);
    }

    private static void WriteReasoning(in ChatContent content, int choice, JsonOut output)
    {
        if (content.Request.Reasons)
        {
            output.Name("reasoning_content"u8);
            output.Raw((byte)'"');
            content.WriteReasoning(choice, output);
            output.Raw((byte)'"');
        }
    }

    private static void WriteCalls(in ChatContent content, int choice, JsonOut output)
    {
        if (content.Calls == 0)
        {
            return;
        }

        output.Open("tool_calls"u8, '[');
        for (int call = 0; call < content.Calls; call++)
        {
            output.Next();
            output.Open('{');
            output.Name("id"u8);
            content.WriteCallId(choice, call, output);
            output.Member("type"u8, "function"u8);
            output.Open("function"u8, '{');
            output.Member("name"u8, content.Request.Tools.CallName(call));
            output.Name("arguments"u8);
            output.Raw((byte)'"');
            content.WriteArguments(choice, call, output);
            output.Raw((byte)'"');
            output.Close('}');
            output.Close('}');
        }

        output.Close(']');
    }

    private static void WriteLogprobs(in ChatContent content, int choice, (int At, int End) written, JsonOut output)
    {
        output.Name("logprobs"u8);
        if (!content.Request.Logprobs || written == default)
        {
            output.Raw("null"u8);
            return;
        }

        // A copy: the buffer may move while it is written to.
        ReadOnlySpan<byte> text = output.Written.Span[written.At..written.End].ToArray();
        output.Raw("{\"content\":["u8);
        int tokens = 0;
        while (!text.IsEmpty)
        {
            // In the pieces of the stream, so that both have the same tokens.
            int length = JsonText.Cut(text, content.PieceBytes);
            tokens = content.WriteLogprobs(choice, tokens, text[..length], isFirst: tokens == 0, output);
            text = text[length..];
        }

        output.Raw("],\"refusal\":null}"u8);
    }
}
