namespace FastLLM.Jobs.Planning;

/// <summary>Estimates the tokens of the requests to one model, from earlier answers or, without any, from assumptions.</summary>
internal sealed class UsageEstimator(string model, ModelPrice? price)
{
    /// <summary>The bytes of a token of English, for most models.</summary>
    public const double AssumedBytesPerToken = 4;

    /// <summary>The assumed tokens of an answer.</summary>
    public const long AssumedAnswer = 256;

    /// <summary>The number of answers from which the estimate is trusted.</summary>
    public const long Enough = 50;

    private long _requests;
    private long _bytes;
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

    /// <summary>Adds a request to send.</summary>
    /// <param name="bytes">The bytes of its text.</param>
    /// <param name="maxOutput">The output tokens that it allows; <see langword="null"/> without a limit.</param>
    /// <param name="choices">The number of answers that it requests.</param>
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
        double bytesPerToken = isLearned ? (double)_seenBytes / _seenPrompt : AssumedBytesPerToken;
        double perAnswer = isLearned ? (double)_seenCompletion / _seen : _requests == 0 ? 0 : (double)_assumedOutput / _requests;
        double prompt = _bytes / bytesPerToken;
        double output = isLearned ? Math.Min(perAnswer * _requests, _maxOutput ?? double.MaxValue) : _assumedOutput;
        (double low, double high) = _seen >= Enough ? (0.8, 1.2) : isLearned ? (0.6, 1.6) : (0.6, 2);
        return new ModelEstimate
        {
            Model = model,
            Requests = _requests,
            LearntFrom = _seen,
            BytesPerToken = bytesPerToken,
            TokensPerAnswer = perAnswer,
            PromptTokens = ((long)(prompt * low), (long)prompt, (long)(prompt * high)),
            CompletionTokens = ((long)(isLearned ? output * low : 0), (long)output, _maxOutput),
            Price = price,
        };
    }
}
