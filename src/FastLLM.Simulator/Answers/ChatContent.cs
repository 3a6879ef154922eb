using System.Text;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>What an answer says, whether it comes whole or as a stream: a function of the request and its hash.</summary>
/// <remarks>The model <c>simulator-refusal</c> refuses; <c>reasoning_effort</c> other than <c>none</c> shows reasoning.</remarks>
internal readonly ref struct ChatContent
{
    private const int PrefixLength = 17; // "Answer 01234567: "
    private const int TokensOfReasoning = 5;
    private const int MaxPieces = 10_000; // per choice; a huge answer comes in larger pieces, or its envelopes would be most of it

    private readonly BodyHash _hash;
    private readonly byte[]?[]? _made; // JSON instead of the text, escaped; for each choice, and for each call of it
    private readonly int _tokensPerPiece;
    private readonly long _tokens; // of the longest text
    private readonly long _allTokens;
    private readonly bool _isCut;

    private ChatContent(ChatRequest request, BodyHash hash, int tokensPerPiece, int calls, byte[]?[]? made)
    {
        Request = request;
        _hash = hash;
        _tokensPerPiece = tokensPerPiece;
        Calls = calls;
        _made = made;
        long plain = RequestJson.Tokens(PrefixLength + request.Messages.LastUserBytes);
        int texts = made?.Length ?? request.Choices;
        for (int i = 0; i < texts; i++)
        {
            long tokens = made?[i] is { } text ? RequestJson.Tokens(JsonText.DecodedLength(text)) : plain;
            _isCut |= tokens > request.MaxTokens;
            tokens = Math.Min(tokens, request.MaxTokens);
            _tokens = Math.Max(_tokens, tokens);
            _allTokens += tokens;
        }
    }

    public ChatRequest Request { get; }

    /// <summary>How many tools are called.</summary>
    public int Calls { get; }

    public bool Refuses => Request.Model.SequenceEqual("simulator-refusal"u8);

    public ReadOnlySpan<byte> FinishReason => _isCut ? "length"u8 : Calls > 0 ? "tool_calls"u8 : "stop"u8;

    /// <summary>The length of the pieces of a stream, in bytes of UTF-8.</summary>
    public long PieceBytes => Math.Max(_tokensPerPiece, _tokens / MaxPieces) * RequestJson.BytesPerToken;

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

    private long CompletionTokens => _allTokens + ReasoningTokens;

    /// <returns>What is wrong with the request, if its answer cannot be made.</returns>
    public static Problem? Create(in ChatRequest request, BodyHash hash, int tokensPerPiece, out ChatContent content)
    {
        int calls = request.Tools.CountCalls();
        content = new ChatContent(request, hash, tokensPerPiece, calls, null);
        Problem? problem = null;
        byte[]?[]? made = calls > 0 ? content.MakeArguments(out problem) : request.Format.IsEmpty ? null : content.MakeAnswers(out problem);
        if (made is not null)
        {
            content = new ChatContent(request, hash, tokensPerPiece, calls, made);
        }

        return problem;
    }

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
        if (Calls == 0 && _made?[choice] is { } made)
        {
            output.Raw(made);
            Cut(start, output);
            return;
        }

        output.Raw("Answer "u8);
        output.Hex((choice == 0 ? _hash.High : _hash.Draw((ulong)choice)) >> 32, 8);
        output.Raw(": "u8);
        Request.Messages.WriteLastUser(output);
        Cut(start, output);
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

    /// <summary>Writes arguments that fit the schema of the function inside a text. Without a schema it is <c>{"text":"…"}</c>: what is
    /// escaped already is escaped once more.</summary>
    public void WriteArguments(int choice, int call, JsonOut output)
    {
        if (_made?[(choice * Calls) + call] is { } made)
        {
            int start = output.Length;
            output.Raw(made);
            Cut(start, output);
            return;
        }

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

    private byte[]?[]? MakeArguments(out Problem? problem)
    {
        problem = null;
        var made = new byte[]?[Calls * Request.Choices];
        for (int i = 0; i < made.Length; i++)
        {
            try
            {
                byte[]? json = MadeTexts.Arguments(Request.Tools.CallParameters(i % Calls), _hash, i / Calls, i % Calls);
                made[i] = json is null ? null : MadeTexts.Escape(json);
            }
            catch (SchemaException e)
            {
                problem = MadeTexts.Impossible("tools.function.parameters", e);
                return null;
            }
        }

        return Array.TrueForAll(made, static text => text is null) ? null : made;
    }

    private byte[]?[]? MakeAnswers(out Problem? problem)
    {
        problem = null;
        if (Refuses)
        {
            return null;
        }

        using JsonDocument format = JsonDocument.Parse(Request.Format.ToArray(), new JsonDocumentOptions { MaxDepth = 1000 });
        var made = new byte[]?[Request.Choices];
        for (int i = 0; i < made.Length && problem is null; i++)
        {
            JsonOut plain = JsonOut.Rent(compact: true);
            WriteText(i, plain);
            string text = Encoding.UTF8.GetString(JsonText.Decode(plain.Written.Span));
            plain.Return();
            byte[]? json = MadeTexts.Answer(format.RootElement, "response_format", _hash, i, text, out problem);
            made[i] = json is null ? null : MadeTexts.Escape(json);
        }

        return made[0] is null ? null : made;
    }

    private void Cut(int start, JsonOut output)
    {
        if (_isCut)
        {
            output.Length = start + JsonText.Cut(output.From(start), Request.MaxTokens * RequestJson.BytesPerToken);
        }
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
