using System.Text.Json;
using FastLLM.Mapping;
using Microsoft.Extensions.AI;

namespace FastLLM;

/// <summary>
/// A <see cref="RequestManager"/> as an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>: each call gets its limits, retries, sharing
/// and cache.
/// </summary>
/// <remarks>
/// <para>A call is one request with all its texts: the same, with the same key, as <c>batch.Embeddings.Create</c> with a list of them.
/// For no texts nothing is sent. <see cref="EmbeddingGenerationOptions.AdditionalProperties"/> are sent as body parameters.</para>
/// <para>A request that failed throws its <see cref="LlmException"/>. Safe for concurrent use.</para>
/// </remarks>
public sealed class FastLLMEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly RequestManager<LlmResponse> _manager;
    private readonly EmbeddingGeneratorMetadata _metadata;

    /// <summary>Creates a generator.</summary>
    /// <param name="manager">Who sends. It stays the caller's to dispose.</param>
    /// <param name="defaultModelId">The model where a call names none. Without either, none is sent.</param>
    /// <param name="providerUri">The provider's address, for <see cref="EmbeddingGeneratorMetadata"/> only.</param>
    public FastLLMEmbeddingGenerator(RequestManager<LlmResponse> manager, string? defaultModelId = null, Uri? providerUri = null)
    {
        ArgumentNullException.ThrowIfNull(manager);
        _manager = manager;
        _metadata = new EmbeddingGeneratorMetadata("fastllm", providerUri, defaultModelId);
    }

    /// <inheritdoc/>
    /// <exception cref="LlmException">The request failed, or the answer has not one vector for each text.</exception>
    /// <exception cref="ArgumentException">An option is out of its range, or given twice.</exception>
    /// <exception cref="OperationCanceledException">The call was cancelled.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        string[] texts = [.. values];
        if (texts.Length == 0)
        {
            return [];
        }

        LlmRequest request = ChatRequests.ToRequest(texts, options, _metadata.DefaultModelId);
        EmbeddingResponse response = await SingleRequest.RunAsync<EmbeddingResponse>(_manager, request, cancellationToken).ConfigureAwait(false);
        string? model = response.Model ?? request.Model;
        return new GeneratedEmbeddings<Embedding<float>>(VectorsOf(response, texts.Length).Select(vector => new Embedding<float>(vector) { ModelId = model }))
        {
            Usage = ChatAnswers.ToUsage(response.Usage),
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

    /// <summary>Does nothing: the manager is the caller's to dispose.</summary>
    public void Dispose()
    {
    }

    private static IReadOnlyList<ReadOnlyMemory<float>> VectorsOf(EmbeddingResponse response, int texts)
    {
        try
        {
            return response.Embeddings.Count == texts
                ? response.Embeddings
                : throw new LlmException(FailureKind.InvalidResponse, $"The provider answered {texts} texts with {response.Embeddings.Count} vectors.");
        }
        catch (JsonException e)
        {
            throw new LlmException(FailureKind.InvalidResponse, e.Message, e);
        }
    }
}
