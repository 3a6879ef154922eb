using FastLLM.Requests;

namespace FastLLM;

/// <summary>The builder behind <see cref="RequestBatch.Embeddings"/>.</summary>
public sealed class BatchEmbeddings
{
    private readonly RequestBatch _batch;

    internal BatchEmbeddings(RequestBatch batch) => _batch = batch;

    /// <summary>Adds an embedding request.</summary>
    /// <param name="model">The model.</param>
    /// <param name="input">A text, or several; there is one vector for each, blank ones included. Token numbers: <see cref="EmbeddingInput.FromTokens(IEnumerable{int})"/>.</param>
    /// <param name="dimensions">How many numbers a vector has; <see langword="null"/> for as many as the model makes.</param>
    /// <param name="encodingFormat"><c>float</c> or <c>base64</c>; vectors read the same from both. <see langword="null"/> leaves it to the provider.</param>
    /// <param name="user">An id for the end user.</param>
    /// <param name="sample">Which answer to the same question this is.</param>
    /// <param name="provider">A label for logs.</param>
    /// <param name="extra">Any other body parameter, such as <c>input_type</c>; all of them are sent.</param>
    /// <returns>The request's id: the key by which a cache knows it.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="dimensions"/> is less than 1.</exception>
    /// <exception cref="ArgumentException">A text holds half of a surrogate pair, or <paramref name="extra"/> names a parameter of this method.</exception>
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
