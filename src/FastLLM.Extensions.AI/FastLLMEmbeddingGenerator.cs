using System.Text.Json;
using FastLLM.Mapping;
using Microsoft.Extensions.AI;

namespace FastLLM;

/// <summary>Represents a <see cref="RequestManager"/> as an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>: calls get its limits,
/// retries, sharing and cache.</summary>
/// <remarks>
/// <para>A call is one request with all its texts, with the same key as <c>batch.Embeddings.Create</c> with a list of them. A call
/// without texts sends nothing. <see cref="EmbeddingGenerationOptions.AdditionalProperties"/> are sent as body parameters.</para>
/// <para>A failed request throws its <see cref="LlmException"/>. Safe for concurrent use.</para>
/// </remarks>
public sealed class FastLLMEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly RequestManager<LlmResponse> _manager;
    private readonly EmbeddingGeneratorMetadata _metadata;

    /// <summary>Creates a generator.</summary>
    /// <param name="manager">The manager. The caller disposes it.</param>
    /// <param name="defaultModelId">The model of calls that set none. Without either, no model is sent.</param>
    /// <param name="providerUri">The provider's address, for <see cref="EmbeddingGeneratorMetadata"/> only.</param>
    public FastLLMEmbeddingGenerator(RequestManager<LlmResponse> manager, string? defaultModelId = null, Uri? providerUri = null)
    {
        ArgumentNullException.ThrowIfNull(manager);
        _manager = manager;
        _metadata = new EmbeddingGeneratorMetadata("fastllm", providerUri, defaultModelId);
    }

    /// <inheritdoc/>
    /// <exception cref="LlmException">The request failed, or the response does not have one vector for each text.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or set twice.</exception>
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

        LlmRequest request = ChatRequests.ToRequest(texts, options, _metadata.DefaultModelId);
        EmbeddingResponse response = await SingleRequest.RunAsync<EmbeddingResponse>(_manager, request, cancellationToken)
            .ConfigureAwait(false);
        string? model = response.Model ?? request.Model;
        return new GeneratedEmbeddings<Embedding<float>>(VectorsOf(response, texts.Length)
            .Select(vector => new Embedding<float>(vector) { ModelId = model }))
        {
            Usage = ChatAnswers.ToUsage(response),
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

    private static IReadOnlyList<ReadOnlyMemory<float>> VectorsOf(EmbeddingResponse response, int texts)
    {
        try
        {
            return response.Embeddings.Count == texts
                ? response.Embeddings
                : throw new LlmException(FailureKind.InvalidResponse,
                    $"The provider answered {texts} texts with {response.Embeddings.Count} vectors.");
        }
        catch (JsonException e)
        {
            throw new LlmException(FailureKind.InvalidResponse, e.Message, e);
        }
    }
}
