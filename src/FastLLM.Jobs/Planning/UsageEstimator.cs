namespace FastLLM.Jobs.Planning;

/// <summary>Adds up what requests to one model may take: by what earlier answers took, or by what is assumed where there are none.</summary>
internal sealed class UsageEstimator(string model, ModelPrice? price)
{
    /// <summary>English, as most models split it.</summary>
    public const double AssumedBytesPerToken = 4;

    /// <summary>What an answer is taken to have where nothing is known.</summary>
    public const long AssumedAnswer = 256;

    /// <summary>From so many answers on, what they show is trusted.</summary>
    public const long Enough = 50;

    private long _requests;
    private long _bytes;
    private long _assumedOutput;
    private long? _mostOutput = 0;
    private long _seen;
    private long _seenBytes;
    private long _seenPrompt;
    private long _seenCompletion;

    public long Seen => _seen;

    public long Requests => _requests;

    /// <summary>An answer that is there already.</summary>
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

    /// <summary>A request that is to be sent.</summary>
    /// <param name="bytes">The text that it sends.</param>
    /// <param name="mostOutput">The output that it allows; <see langword="null"/> where it sets no limit.</param>
    /// <param name="choices">How many answers it asks for.</param>
    public void Add(long bytes, long? mostOutput, long choices)
    {
        _requests++;
        _bytes += bytes;
        _assumedOutput += Math.Min(mostOutput ?? long.MaxValue, AssumedAnswer * choices);
        _mostOutput += mostOutput ?? (price?.MaxOutputTokens * choices);
    }

    public ModelEstimate ToEstimate()
    {
        bool isLearned = _seen > 0;
        double bytesPerToken = isLearned ? (double)_seenBytes / _seenPrompt : AssumedBytesPerToken;
        double perAnswer = isLearned ? (double)_seenCompletion / _seen : _requests == 0 ? 0 : (double)_assumedOutput / _requests;
        double prompt = _bytes / bytesPerToken;
        double output = isLearned ? Math.Min(perAnswer * _requests, _mostOutput ?? double.MaxValue) : _assumedOutput;
        (double low, double high) = _seen >= Enough ? (0.8, 1.2) : isLearned ? (0.6, 1.6) : (0.6, 2);
        return new ModelEstimate
        {
            Model = model,
            Requests = _requests,
            LearntFrom = _seen,
            BytesPerToken = bytesPerToken,
            TokensPerAnswer = perAnswer,
            PromptTokens = ((long)(prompt * low), (long)prompt, (long)(prompt * high)),
            CompletionTokens = ((long)(isLearned ? output * low : 0), (long)output, _mostOutput),
            Price = price,
        };
    }
}
