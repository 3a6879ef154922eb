using System.Runtime.CompilerServices;
using FastLLM.Mapping;
using Microsoft.Extensions.AI;

namespace FastLLM;

/// <summary>Represents a <see cref="RequestManager"/> as an <see cref="IChatClient"/>: calls get its limits, retries, sharing and
/// cache.</summary>
/// <remarks>
/// <para>A call is the same request, with the same key, as <c>batch.Chat.Completions.Create</c> with the same parameters. It therefore
/// uses the cache entries of batches, and equal concurrent calls share one send. For several responses to one request, use
/// <see cref="SampleProperty"/>.</para>
/// <para>Options that are not set are not sent, including the temperature. <see cref="ChatOptions.AdditionalProperties"/> are sent as body
/// parameters (text, numbers, Booleans, JSON, lists and dictionaries of these); the Boolean <c>strict</c> or <c>strictJsonSchema</c>
/// belongs to the JSON schemas. <see cref="ChatOptions.RawRepresentationFactory"/> may return body parameters as JSON or a dictionary, or
/// the options of the OpenAI library. Content that the protocol does not support throws a <see cref="NotSupportedException"/>, unless its
/// <see cref="AIContent.RawRepresentation"/> is a <see cref="ContentPart"/> or a part of the OpenAI library.</para>
/// <para>A response says in its additional properties whether it was cached or shared, and what it cost: <see cref="FastLLMProperties"/>.
/// The usage of a cached or shared response is not reported again.</para>
/// <para>A failed request throws its <see cref="LlmException"/>, a parameter out of range an <see cref="ArgumentException"/>. If <c>n</c>
/// requests several choices, the first one is read; <see cref="ChatResponse.RawRepresentation"/> is the <see cref="ChatCompletion"/> with
/// all of them.</para>
/// <para>Safe for concurrent use.</para>
/// </remarks>
public sealed class FastLLMChatClient : IChatClient
{
    /// <summary>The name of the additional property (an <see cref="int"/>) with the number of the sample; see
    /// <see cref="LlmRequest.Sample"/>. It is never sent.</summary>
    public const string SampleProperty = "fastllm.sample";

    private readonly RequestManager<LlmResponse> _manager;
    private readonly ChatClientMetadata _metadata;
    private readonly SingleRequest _requests;

    /// <summary>Creates a client.</summary>
    /// <param name="manager">The manager. The caller disposes it.</param>
    /// <param name="defaultModelId">The model of calls that set none. Without either, no model is sent.</param>
    /// <param name="providerUri">The provider's address, for <see cref="ChatClientMetadata"/> only.</param>
    public FastLLMChatClient(RequestManager<LlmResponse> manager, string? defaultModelId = null, Uri? providerUri = null)
    {
        ArgumentNullException.ThrowIfNull(manager);
        _manager = manager;
        _requests = new SingleRequest(manager);
        _metadata = new ChatClientMetadata("fastllm", providerUri, defaultModelId);
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
    /// <exception cref="LlmException">The request failed; its <see cref="LlmException.Kind"/> is the cause.</exception>
    /// <exception cref="ArgumentException">An option is out of range, or set twice.</exception>
    /// <exception cref="NotSupportedException">A content, a tool or an option cannot be sent.</exception>
    /// <exception cref="OperationCanceledException">The call was canceled.</exception>
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        LlmRequest request = ChatRequests.ToRequest(messages, options, _metadata.DefaultModelId, this);
        return ChatAnswers.ToResponse(await _requests.SendAsync<ChatCompletion>(request, cancellationToken).ConfigureAwait(false), request);
    }

    /// <summary>Same as <see cref="GetResponseAsync"/>, in updates as they arrive.</summary>
    /// <remarks>A stream that another call watches is joined: all of its updates so far come at once. A cached answer, and that of an equal
    /// call without streaming, is one update. The last update has tool calls, usage and additional properties. An answer is recorded when
    /// it is whole. If a stream breaks off after its first update, the call fails, since it cannot start over.</remarks>
    /// <inheritdoc cref="GetResponseAsync"/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        LlmRequest request = ChatRequests.ToRequest(messages, options, _metadata.DefaultModelId, this) with { Stream = true };
        using CallDeadline deadline = _requests.Deadline(request, cancellationToken);
        using var watch = new StreamWatch(_manager.LiveStreams, request.Key);
        Task<SingleAnswer<ChatCompletion>> sending = watch.Until(
            _requests.SendAsync<ChatCompletion>(request, deadline, watch.Attach, cancellationToken));
        try
        {
            var reader = new UpdateReader();
            bool isWhole;
            do
            {
                Task changed = watch.Changed;
                isWhole = sending.IsCompleted;
                while (watch.TryTake(out byte[]? data))
                {
                    if (reader.Read(data) is { } update)
                    {
                        yield return update;
                    }
                }

                if (!isWhole)
                {
                    await changed.ConfigureAwait(false);
                }
            }
            while (!isWhole);
            yield return reader.Last(await sending.ConfigureAwait(false), request);
        }
        finally
        {
            // A caller that leaves ends the request, unless others await it.
            deadline.End();
            await ((Task)sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
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

    /// <summary>Does nothing: the caller disposes the manager.</summary>
    public void Dispose()
    {
    }
}
