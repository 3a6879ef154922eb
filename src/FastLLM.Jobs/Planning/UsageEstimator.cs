namespace FastLLM.Jobs.Planning;

/// <summary>Estimates the tokens of the requests to one model, from earlier answers or, without any, from assumptions.</summary>
/// <param name="model">The name of the model.</param>
/// <param name="price">Its price, if it is known.</param>
/// <param name="corrects">Whether each answer may be corrected once: at most, each request is sent twice.</param>
internal sealed class UsageEstimator(string model, ModelPrice? price, bool corrects = false)
{
    /// <summary>The bytes of a token of English, for most models.</summary>
    public const double AssumedBytesPerToken = 4;

    /// <summary>The assumed tokens of an answer.</summary>
    public const long AssumedAnswer = 256;

    /// <summary>The assumed tokens of the words that correct an answer; a long error has as many.</summary>
    public const long CorrectionTokens = 500;

    /// <summary>The number of answers from which the estimate is trusted.</summary>
    public const long Enough = 50;

    // Many fields because each is a sum of its own.
    private readonly PromptTokens? _prompts = Vocabulary.Of(model) is { } vocabulary ? new PromptTokens(vocabulary) : null;
    private long _requests;
    private long _bytes;
    private long _counted;
    private long _countedBytes;
    private long _countedTokens;
    private long _assumedOutput;
    private long? _maxOutput = 0;
    private long _seen;
    private long _seenBytes;
    private long _seenPrompt;
    private long _seenCompletion;

    public long Seen => _seen;

    public long Requests => _requests;

    /// <summary>Adds an earlier answer.</summary>
    public void Learn(long bytes, Usage usage)
    {
        if (bytes <= 0 || usage.PromptTokens <= 0)
        {
            return;
        }

        _seen++;
        _seenBytes += bytes;
        _seenPrompt += usage.PromptTokens;
        _seenCompletion += Math.Max(0, usage.CompletionTokens);
    }

    /// <summary>Adds a request to send, and counts its prompt if the vocabulary of the model is known.</summary>
    /// <param name="request">The request.</param>
    /// <param name="bytes">The bytes of its text.</param>
    /// <param name="maxOutput">The output tokens that it allows; <see langword="null"/> without a limit.</param>
    /// <param name="choices">The number of answers that it requests.</param>
    public void Add(LlmRequest request, long bytes, long? maxOutput, long choices)
    {
        if (_prompts?.Count(request, bytes) is { } tokens)
        {
            _counted++;
            _countedBytes += bytes;
            _countedTokens += tokens;
        }

        Add(bytes, maxOutput, choices);
    }

    /// <summary>Adds a request to send by its numbers.</summary>
    public void Add(long bytes, long? maxOutput, long choices)
    {
        _requests++;
        _bytes += bytes;
        _assumedOutput += Math.Min(maxOutput ?? long.MaxValue, AssumedAnswer * choices);
        _maxOutput += maxOutput ?? (price?.MaxOutputTokens * choices);
    }

    public ModelEstimate ToEstimate()
    {
        bool isLearned = _seen > 0;
        double bytesPerToken = _countedTokens > 0 && _countedBytes > 0 ? (double)_countedBytes / _countedTokens
            : isLearned ? (double)_seenBytes / _seenPrompt
            : AssumedBytesPerToken;
        double perAnswer = isLearned ? (double)_seenCompletion / _seen : _requests == 0 ? 0 : (double)_assumedOutput / _requests;
        double uncounted = (_bytes - _countedBytes) / bytesPerToken;
        double prompt = _countedTokens + uncounted;
        double output = isLearned ? Math.Min(perAnswer * _requests, _maxOutput ?? double.MaxValue) : _assumedOutput;
        (double low, double high) = _seen >= Enough ? (0.8, 1.2) : isLearned ? (0.6, 1.6) : (0.6, 2);

        // Of the requests that are not counted, those that were are a sample.
        (double lowest, double highest) = _counted >= Enough ? (0.95, 1.05) : (low, high);
        double mostPrompt = _countedTokens + (uncounted * highest);
        if (corrects)
        {
            // The correction repeats the prompt and the answer, and names the error.
            mostPrompt = (2 * mostPrompt) + (_maxOutput ?? 0) + (_requests * CorrectionTokens);
        }

        return new ModelEstimate
        {
            Model = model,
            Requests = _requests,
            LearntFrom = _seen,
            BytesPerToken = bytesPerToken,
            TokensPerAnswer = perAnswer,
            Vocabulary = _counted > 0 ? _prompts!.Name : null,
            Counted = _counted,
            PromptTokens =
                ((long)(_countedTokens + (uncounted * lowest)), (long)prompt, (long)mostPrompt),
            CompletionTokens = ((long)(isLearned ? output * low : 0), (long)output, corrects ? 2 * _maxOutput : _maxOutput),
            Price = price,
        };
    }
}
