using FastLLM.Mapping;
using Microsoft.Extensions.AI;

namespace FastLLM;

/// <summary>Represents a <see cref="RequestManager"/> as an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>: calls get its limits,
/// retries, sharing and cache.</summary>
/// <remarks>
/// <para>A call is one request with its texts, with the same key as <c>batch.Embeddings.Create</c> with a list of them. Texts that another
/// call has in flight, that the cache has, or that are in the call before, are not sent again. A call without texts sends nothing.
/// <see cref="EmbeddingGenerationOptions.AdditionalProperties"/> are sent as body parameters, and so is what
/// <see cref="EmbeddingGenerationOptions.RawRepresentationFactory"/> returns as JSON or a dictionary.</para>
/// <para>The result says in its additional properties whether all of it was cached, whether a part was shared, and what it cost:
/// <see cref="FastLLMProperties"/>. Usage is that of the request that the call sent.</para>
/// <para>A failed request throws its <see cref="LlmException"/>. Safe for concurrent use.</para>
/// </remarks>
public sealed class FastLLMEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly RequestManager<LlmResponse> _manager;
    private readonly EmbeddingGeneratorMetadata _metadata;
    private readonly SingleRequest _requests;
    private readonly SharedTexts _texts;

    /// <summary>Creates a generator.</summary>
    /// <param name="manager">The manager. The caller disposes it.</param>
    /// <param name="defaultModelId">The model of calls that set none. Without either, no model is sent.</param>
    /// <param name="providerUri">The provider's address, for <see cref="EmbeddingGeneratorMetadata"/> only.</param>
    public FastLLMEmbeddingGenerator(RequestManager<LlmResponse> manager, string? defaultModelId = null, Uri? providerUri = null)
    {
        ArgumentNullException.ThrowIfNull(manager);
        _manager = manager;
        _requests = new SingleRequest(manager);
        _texts = new SharedTexts(manager);
        _metadata = new EmbeddingGeneratorMetadata("fastllm", providerUri, defaultModelId);
    }

    /// <summary>Gets the time after which nothing more is sent for a call that has no answer; a send under way may still end. Then the call
    /// fails with the <see cref="LlmException"/> of its last send.</summary>
    /// <value>The default is 60 s; without end if the manager has a <see cref="RequestManagerOptions.TotalTimeout"/>.
    /// <see cref="Timeout.InfiniteTimeSpan"/> for no end.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is not positive.</exception>
    public TimeSpan MaxWait
    {
        get => _requests.MaxWait;
        init => _requests = new SingleRequest(_manager) { MaxWait = SingleRequest.Check(value) };
    }

    /// <inheritdoc/>
    /// <exception cref="LlmException">The request failed, or the response does not have one vector for each text.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or set twice.</exception>
    /// <exception cref="NotSupportedException">The <c>RawRepresentationFactory</c> returns an unknown type.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        string[] texts = [.. values];
        if (texts.Length == 0)
        {
            return [];
        }

        Func<IEnumerable<string>, LlmRequest> toRequest = ChatRequests.ForTexts(options, _metadata.DefaultModelId, this);
        RequestKey[] keys = [.. texts.Select(text => toRequest([text]).Key)];
        var distinct = new Dictionary<RequestKey, string>(texts.Length);
        for (var i = 0; i < texts.Length; i++)
        {
            distinct[keys[i]] = texts[i];
        }

        (Dictionary<RequestKey, EmbeddedText> vectors, SingleAnswer<EmbeddingResponse>? answer) = await _texts.EmbedAsync(
            _requests, distinct, toRequest, cancellationToken).ConfigureAwait(false);
        return new GeneratedEmbeddings<Embedding<float>>(keys
            .Select(key => new Embedding<float>(vectors[key].Vector) { ModelId = vectors[key].Model }))
        {
            Usage = answer?.Usage,
            AdditionalProperties = answer?.Properties() ?? new AdditionalPropertiesDictionary
            {
                [FastLLMProperties.Cached] = vectors.Values.All(vector => vector.IsCacheHit),
                [FastLLMProperties.Shared] = vectors.Values.Any(vector => vector.IsShared),
                [FastLLMProperties.Sends] = 0,
                [FastLLMProperties.Cost] = 0m,
            },
        };
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_manager) ? _manager
            : null;
    }

    /// <summary>Does nothing: the caller disposes the manager.</summary>
    public void Dispose()
    {
    }
}
