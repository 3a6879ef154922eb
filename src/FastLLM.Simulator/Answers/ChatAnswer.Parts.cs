using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>What an answer may hold beside its text: calls of tools, thoughts, a refusal, log probabilities; and how a request asks for them.</summary>
/// <remarks>
/// <c>tool_choice: "required"</c> has every function of <c>tools</c> called (8 at most), a named function that one;
/// <c>reasoning_effort</c> other than <c>none</c> shows thoughts; the model <c>simulator-refusal</c> refuses; <c>logprobs</c> is as OpenAI has it.
/// </remarks>
internal ref partial struct ChatAnswer
{
    private const int MaxCalls = 8;
    private const int TokensOfThought = 5;

    private readonly bool Refuses => _model.SequenceEqual("simulator-refusal"u8);

    private readonly int ReasoningTokens => _reasons ? TokensOfThought : 0;

    /// <summary>How many tools are called.</summary>
    private readonly int Calls => !_namedTool.IsEmpty ? 1 : _toolsRequired ? CountTools() : 0;

    private readonly ReadOnlySpan<byte> FinishReason(bool cut) => cut ? "length"u8 : Calls > 0 ? "tool_calls"u8 : "stop"u8;

    /// <summary>Reads a member that asks for one of these.</summary>
    /// <returns>Whether it is one; then it is read.</returns>
    private bool TryReadPart(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("tools"u8))
        {
            reader.Read();
            int start = (int)reader.TokenStartIndex;
            bool areTools = reader.TokenType == JsonTokenType.StartArray;
            reader.Skip();
            _tools = areTools ? _body[start..(int)reader.BytesConsumed] : default;
        }
        else if (reader.ValueTextEquals("tool_choice"u8))
        {
            reader.Read();
            _toolsRequired = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("required"u8);
            _namedTool = reader.TokenType == JsonTokenType.StartObject ? NameOf(ref reader) : default;
        }
        else if (reader.ValueTextEquals("reasoning_effort"u8))
        {
            reader.Read();
            _reasons = reader.TokenType == JsonTokenType.String && !reader.ValueTextEquals("none"u8);
        }
        else if (reader.ValueTextEquals("logprobs"u8))
        {
            reader.Read();
            _logprobs = reader.TokenType == JsonTokenType.True;
        }
        else
        {
            return false;
        }

        return true;
    }

    // {"type":"function","function":{"name":"…"}}, to its end.
    private static ReadOnlySpan<byte> NameOf(scoped ref Utf8JsonReader reader)
    {
        ReadOnlySpan<byte> name = default;
        int depth = reader.CurrentDepth;
        bool inFunction = false;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isFunction = reader.CurrentDepth == depth + 1 && reader.ValueTextEquals("function"u8);
                bool isName = inFunction && reader.CurrentDepth == depth + 2 && reader.ValueTextEquals("name"u8);
                inFunction = isFunction || (inFunction && reader.CurrentDepth > depth + 1);
                reader.Read();
                name = isName && reader.TokenType == JsonTokenType.String ? reader.ValueSpan : name;
                if (!isFunction)
                {
                    reader.Skip();
                }
            }
        }

        return name;
    }

    private readonly int CountTools()
    {
        int count = 0;
        while (count < MaxCalls && !ToolName(count).IsEmpty)
        {
            count++;
        }

        return count;
    }

    private readonly ReadOnlySpan<byte> CallName(int call) => _namedTool.IsEmpty ? ToolName(call) : _namedTool;

    private readonly ReadOnlySpan<byte> ToolName(int index)
    {
        if (_tools.IsEmpty)
        {
            return default;
        }

        Utf8JsonReader reader = RequestJson.Reader(_tools);
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            ReadOnlySpan<byte> name = NameOf(ref reader);
            if (!name.IsEmpty && index-- == 0)
            {
                return name;
            }
        }

        return default;
    }

    private readonly void WriteParts(BodyHash hash, int choice, bool cut, JsonOut output)
    {
        if (_reasons)
        {
            output.Name("reasoning_content"u8);
            output.Raw((byte)'"');
            WriteReasoning(hash, choice, output);
            output.Raw((byte)'"');
        }

        int calls = Calls;
        if (calls == 0)
        {
            return;
        }

        output.Name("tool_calls"u8);
        output.Open('[');
        for (int call = 0; call < calls; call++)
        {
            output.Next();
            output.Open('{');
            output.Name("id"u8);
            WriteCallId(hash, choice, call, output);
            output.Name("type"u8);
            output.String("function"u8);
            output.Name("function"u8);
            output.Open('{');
            output.Name("name"u8);
            output.String(CallName(call));
            output.Name("arguments"u8);
            output.Raw((byte)'"');
            WriteArguments(hash, choice, cut, output);
            output.Raw((byte)'"');
            output.Close('}');
            output.Close('}');
        }

        output.Close(']');
    }

    private readonly void WriteLogprobs(BodyHash hash, int choice, (int At, int End) content, long pieceBytes, JsonOut output)
    {
        output.Name("logprobs"u8);
        if (!_logprobs || content == default)
        {
            output.Raw("null"u8);
            return;
        }

        // A copy: the buffer may move while it is written to.
        ReadOnlySpan<byte> text = output.Written.Span[content.At..content.End].ToArray();
        output.Raw("{\"content\":["u8);
        int tokens = 0;
        while (!text.IsEmpty)
        {
            // In the pieces of the stream, so that both have the same tokens.
            int length = JsonText.Cut(text, pieceBytes);
            tokens = WriteLogprobs(hash, choice, tokens, text[..length], isFirst: tokens == 0, output);
            text = text[length..];
        }

        output.Raw("],\"refusal\":null}"u8);
    }

    private static int WriteLogprobs(BodyHash hash, int choice, int tokens, ReadOnlySpan<byte> text, bool isFirst, JsonOut output)
    {
        while (!text.IsEmpty)
        {
            if (!isFirst)
            {
                output.Raw((byte)',');
            }

            isFirst = false;
            ReadOnlySpan<byte> token = text[..JsonText.Cut(text, RequestJson.BytesPerToken)];
            text = text[token.Length..];
            output.Raw("{\"token\":"u8);
            output.String(token);
            output.Raw(",\"logprob\":-"u8);
            output.Number((int)(hash.Fraction((ulong)choice + 1, (ulong)tokens++) * 10));
            output.Raw(".5,\"bytes\":["u8);
            bool isFirstByte = true;
            foreach (byte value in JsonText.Decode(token))
            {
                if (!isFirstByte)
                {
                    output.Raw((byte)',');
                }

                isFirstByte = false;
                output.Number(value);
            }

            output.Raw("],\"top_logprobs\":[]}"u8);
        }

        return tokens;
    }

    private static void WriteReasoning(BodyHash hash, int choice, JsonOut output)
    {
        output.Raw("Thinking \\\""u8);
        output.Hex(hash.Draw((ulong)choice, 7) >> 32, 8);
        output.Raw("\\\"."u8);
    }

    private static void WriteCallId(BodyHash hash, int choice, int call, JsonOut output)
    {
        output.Raw("\"call_"u8);
        output.Hex(hash.Draw((ulong)choice, (ulong)call + 100), 16);
        output.Raw((byte)'"');
    }

    // {"text":"…"} inside a text: what is escaped already is escaped once more.
    private readonly void WriteArguments(BodyHash hash, int choice, bool cut, JsonOut output)
    {
        JsonOut plain = JsonOut.Rent(compact: true);
        WriteText(hash, choice, cut, plain);
        ReadOnlySpan<byte> text = plain.Written.Span;
        output.Raw("{\\\"text\\\":\\\""u8);
        while (!text.IsEmpty)
        {
            int length = text.IndexOfAny((byte)'\\', (byte)'"');
            output.Raw(length < 0 ? text : text[..length]);
            if (length < 0)
            {
                break;
            }

            output.Raw((byte)'\\');
            output.Raw(text[length]);
            text = text[(length + 1)..];
        }

        output.Raw("\\\"}"u8);
        plain.Return();
    }
}
