namespace FastLLM.Simulator.Answers;

/// <summary>What an answer says, whether it comes whole or as a stream: a function of the request and its hash.</summary>
/// <remarks>The model <c>simulator-refusal</c> refuses; <c>reasoning_effort</c> other than <c>none</c> shows reasoning.</remarks>
internal readonly ref struct ChatContent
{
    private const int PrefixLength = 17; // "Answer 01234567: "
    private const int TokensOfReasoning = 5;
    private const int TokensPerPiece = 4;
    private const int MaxPieces = 10_000; // per choice; a huge answer comes in larger pieces, or its envelopes would be most of it

    private readonly BodyHash _hash;
    private readonly long _tokens; // of the text of one choice
    private readonly bool _isCut;

    public ChatContent(ChatRequest request, BodyHash hash)
    {
        Request = request;
        _hash = hash;
        Calls = request.Tools.CountCalls();
        long tokens = RequestJson.Tokens(PrefixLength + request.Messages.LastUserBytes);
        _isCut = tokens > request.MaxTokens;
        _tokens = Math.Min(tokens, request.MaxTokens);
    }

    public ChatRequest Request { get; }

    /// <summary>How many tools are called.</summary>
    public int Calls { get; }

    public bool Refuses => Request.Model.SequenceEqual("simulator-refusal"u8);

    public ReadOnlySpan<byte> FinishReason => _isCut ? "length"u8 : Calls > 0 ? "tool_calls"u8 : "stop"u8;

    /// <summary>The length of the pieces of a stream, in bytes of UTF-8.</summary>
    public long PieceBytes => Math.Max(TokensPerPiece, _tokens / MaxPieces) * RequestJson.BytesPerToken;

    public AnswerFacts Facts
    {
        get
        {
            long allowed = Request.MaxTokens == long.MaxValue ? _tokens : Math.Min(Request.MaxTokens, long.MaxValue / 2 / Request.Choices);
            return new AnswerFacts(PromptTokens + (allowed * Request.Choices), CompletionTokens);
        }
    }

    private long PromptTokens => RequestJson.Tokens(Request.Messages.Bytes);

    private long ReasoningTokens => Request.Reasons ? TokensOfReasoning * Request.Choices : 0;

    private long CompletionTokens => (_tokens * Request.Choices) + ReasoningTokens;

    public void WriteHead(ReadOnlySpan<byte> kind, JsonOut output)
    {
        output.Name("id"u8);
        output.Raw("\"chatcmpl-"u8);
        output.Hex(_hash.High, 16);
        output.Hex(_hash.Low, 16);
        output.Raw((byte)'"');
        output.Member("object"u8, kind);
        output.Name("created"u8);
        output.Raw(RequestJson.Created);
        output.Member("model"u8, Request.Model);
    }

    public void WriteUsage(JsonOut output)
    {
        output.Open("usage"u8, '{');
        output.Member("prompt_tokens"u8, PromptTokens);
        output.Member("completion_tokens"u8, CompletionTokens);
        output.Member("total_tokens"u8, PromptTokens + CompletionTokens);
        output.Open("prompt_tokens_details"u8, '{');
        output.Member("cached_tokens"u8, 0);
        output.Close('}');
        output.Open("completion_tokens_details"u8, '{');
        output.Member("reasoning_tokens"u8, ReasoningTokens);
        output.Close('}');
        output.Close('}');
    }

    public void WriteText(int choice, JsonOut output)
    {
        int start = output.Length;
        output.Raw("Answer "u8);
        output.Hex((choice == 0 ? _hash.High : _hash.Draw((ulong)choice)) >> 32, 8);
        output.Raw(": "u8);
        Request.Messages.WriteLastUser(output);
        if (_isCut)
        {
            output.Length = start + JsonText.Cut(output.From(start), Request.MaxTokens * RequestJson.BytesPerToken);
        }
    }

    public void WriteReasoning(int choice, JsonOut output)
    {
        output.Raw("Thinking \\\""u8);
        output.Hex(_hash.Draw((ulong)choice, 7) >> 32, 8);
        output.Raw("\\\"."u8);
    }

    public void WriteCallId(int choice, int call, JsonOut output)
    {
        output.Raw("\"call_"u8);
        output.Hex(_hash.Draw((ulong)choice, (ulong)call + 100), 16);
        output.Raw((byte)'"');
    }

    /// <summary>Writes <c>{"text":"…"}</c> inside a text: what is escaped already is escaped once more.</summary>
    public void WriteArguments(int choice, JsonOut output)
    {
        JsonOut plain = JsonOut.Rent(compact: true);
        WriteText(choice, plain);
        ReadOnlySpan<byte> text = plain.Written.Span;
        output.Raw("{\\\"text\\\":\\\""u8);
        while (text.IndexOfAny((byte)'\\', (byte)'"') is >= 0 and var length)
        {
            output.Raw(text[..length]);
            output.Raw((byte)'\\');
            output.Raw(text[length]);
            text = text[(length + 1)..];
        }

        output.Raw(text);
        output.Raw("\\\"}"u8);
        plain.Return();
    }

    /// <summary>Writes the log probabilities of a piece of text.</summary>
    /// <param name="choice">The choice.</param>
    /// <param name="tokens">How many tokens of the choice come before the piece.</param>
    /// <param name="text">The piece, escaped.</param>
    /// <param name="isFirst">Whether it begins the list.</param>
    /// <param name="output">Where to.</param>
    /// <returns>The number of tokens with the piece.</returns>
    public int WriteLogprobs(int choice, int tokens, ReadOnlySpan<byte> text, bool isFirst, JsonOut output)
    {
        while (!text.IsEmpty)
        {
            output.Raw(isFirst ? "{\"token\":"u8 : ",{\"token\":"u8);
            isFirst = false;
            ReadOnlySpan<byte> token = text[..JsonText.Cut(text, RequestJson.BytesPerToken)];
            text = text[token.Length..];
            output.String(token);
            output.Raw(",\"logprob\":-"u8);
            output.Number((int)(_hash.Fraction((ulong)choice + 1, (ulong)tokens++) * 10));
            output.Raw(".5,\"bytes\":["u8);
            bool isFirstByte = true;
            foreach (byte value in JsonText.Decode(token))
            {
                output.Raw(isFirstByte ? default : ","u8);
                isFirstByte = false;
                output.Number(value);
            }

            output.Raw("],\"top_logprobs\":[]}"u8);
        }

        return tokens;
    }
}
