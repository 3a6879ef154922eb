using FastLLM.Requests;

namespace FastLLM;

/// <summary>Adds embedding requests to a batch: <see cref="RequestBatch.Embeddings"/>.</summary>
public sealed class BatchEmbeddings
{
    private readonly RequestBatch _batch;

    internal BatchEmbeddings(RequestBatch batch) => _batch = batch;

    /// <summary>Adds an embedding request.</summary>
    /// <param name="model">The model.</param>
    /// <param name="input">One or more texts; each gets a vector, also a blank one. For token numbers:
    /// <see cref="EmbeddingInput.FromTokens(IEnumerable{int})"/>.</param>
    /// <param name="dimensions">The length of a vector; <see langword="null"/> for the model's default.</param>
    /// <param name="encodingFormat"><c>float</c> or <c>base64</c>, both with the same vectors; <see langword="null"/> for the provider's
    /// default.</param>
    /// <param name="user">The id of the end user.</param>
    /// <param name="sample">The number of the sample.</param>
    /// <param name="provider">A label for logs.</param>
    /// <param name="extra">Any other body parameter, such as <c>input_type</c>; all of them are sent.</param>
    /// <returns>The id of the request: its key in a cache.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> is less than 1.</exception>
    /// <exception cref="ArgumentException">A text has half of a surrogate pair, or <paramref name="extra"/> names a parameter of this
    /// method.</exception>
    public string Create(
        string model,
        EmbeddingInput input,
        int? dimensions = null,
        string? encodingFormat = null,
        string? user = null,
        int sample = 0,
        string? provider = null,
        IReadOnlyDictionary<string, object?>? extra = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        ArgumentNullException.ThrowIfNull(input);
        if (dimensions is < 1)
        {
            throw new ArgumentOutOfRangeException(nameof(dimensions), dimensions, "dimensions must be at least 1.");
        }

        var additional = new Parameters();
        additional.Add("dimensions", dimensions);
        additional.Add("encoding_format", encodingFormat);
        additional.Add("user", user);
        additional.AddRange(extra);
        return _batch.Add(new LlmRequest
        {
            Model = model,
            Input = input,
            Sample = sample,
            Provider = provider,
            AdditionalParameters = additional.ToDictionary(),
        });
    }
}
