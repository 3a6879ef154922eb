using System.Runtime.CompilerServices;
using FastLLM.Mapping;
using Microsoft.Extensions.AI;

namespace FastLLM;

/// <summary>
/// A <see cref="RequestManager"/> as an <see cref="IChatClient"/>: each call gets its limits, retries, sharing and cache.
/// </summary>
/// <remarks>
/// <para>A call is the same request, with the same key, as <c>batch.Chat.Completions.Create</c> with the same parameters; so a cache
/// that a batch has filled answers here too, and equal calls at the same time are one send. Several answers to one question:
/// <see cref="SampleProperty"/>.</para>
/// <para>What the options leave out is not sent; that goes for the temperature too, as Microsoft.Extensions.AI has it.
/// <see cref="ChatOptions.AdditionalProperties"/> are sent as body parameters (texts, numbers, truth values, JSON, lists and
/// dictionaries of these); <c>strictJsonSchema</c>, a truth value, goes with the JSON schema. Content of a kind that the protocol does not
/// know is a
/// <see cref="NotSupportedException"/>, unless its <see cref="AIContent.RawRepresentation"/> is a <see cref="ContentPart"/>.</para>
/// <para>A request that failed throws its <see cref="LlmException"/>; parameters out of range are an <see cref="ArgumentException"/>.
/// Where <c>n</c> asked for several answers the first is read; <see cref="ChatResponse.RawRepresentation"/> is the
/// <see cref="ChatCompletion"/> with all of them.</para>
/// <para>Safe for concurrent use.</para>
/// </remarks>
public sealed class FastLLMChatClient : IChatClient
{
    /// <summary>
    /// The name in <c>AdditionalProperties</c> (an <see cref="int"/>) under which a call says which answer to the same question it wants;
    /// see <see cref="LlmRequest.Sample"/>. Never sent.
    /// </summary>
    public const string SampleProperty = "fastllm.sample";

    private readonly RequestManager<LlmResponse> _manager;
    private readonly ChatClientMetadata _metadata;

    /// <summary>Creates a client.</summary>
    /// <param name="manager">Who sends. It stays the caller's to dispose.</param>
    /// <param name="defaultModelId">The model where a call names none. Without either, none is sent.</param>
    /// <param name="providerUri">The provider's address, for <see cref="ChatClientMetadata"/> only.</param>
    public FastLLMChatClient(RequestManager<LlmResponse> manager, string? defaultModelId = null, Uri? providerUri = null)
    {
        ArgumentNullException.ThrowIfNull(manager);
        _manager = manager;
        _metadata = new ChatClientMetadata("fastllm", providerUri, defaultModelId);
    }

    /// <inheritdoc/>
    /// <exception cref="LlmException">The request failed; its <see cref="LlmException.Kind"/> says how.</exception>
    /// <exception cref="ArgumentException">An option is out of its range, or given twice.</exception>
    /// <exception cref="NotSupportedException">A content or tool is of a kind that cannot be sent.</exception>
    /// <exception cref="OperationCanceledException">The call was cancelled.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        LlmRequest request = ChatRequests.ToRequest(messages, options, _metadata.DefaultModelId);
        return ChatAnswers.ToResponse(await SingleRequest.RunAsync<ChatCompletion>(_manager, request, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>As <see cref="GetResponseAsync"/>; the whole response comes as one update, so that it can be shared and cached.</summary>
    /// <inheritdoc cref="GetResponseAsync"/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        yield return ChatAnswers.ToUpdate(await GetResponseAsync(messages, options, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType.IsInstanceOfType(_manager) ? _manager
            : null;
    }

    /// <summary>Does nothing: the manager is the caller's to dispose.</summary>
    public void Dispose()
    {
    }
}
