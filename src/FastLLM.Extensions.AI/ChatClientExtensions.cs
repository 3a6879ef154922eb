using FastLLM.Mapping;
using Microsoft.Extensions.AI;

namespace FastLLM;

/// <summary>Extension methods for <see cref="IChatClient"/>.</summary>
public static class ChatClientExtensions
{
    /// <summary>Creates a provider that sends the requests of a manager to a chat client.</summary>
    /// <remarks>
    /// <para>Messages and parameters of a request become chat messages and <see cref="ChatOptions"/>; parameters without an option become
    /// <see cref="ChatOptions.AdditionalProperties"/>, which a client may ignore. A temperature that is not set is 0.7;
    /// <c>Temperature = null</c> sends none. Requests for endpoints other than chat completions, and content that a chat client cannot be
    /// given, fail with <see cref="FailureKind.NotSupported"/>.</para>
    /// <para>The response is a <see cref="ChatCompletion"/> in OpenAI's format with text, reasoning, refusal, unanswered tool calls, finish
    /// reason and usage.</para>
    /// <para>An <see cref="LlmException"/>, <see cref="HttpRequestException"/> or <see cref="TimeoutException"/> of the client is handled
    /// by the failure table. Any other exception fails the request at once, even if it means that the client is throttled. Switch off the
    /// client's own retries: two layers of retries multiply.</para>
    /// <para>The client must be safe for concurrent use. The caller disposes it.</para>
    /// </remarks>
    /// <param name="client">The client.</param>
    /// <param name="scope">
    /// The cache scope (<see cref="Provider{TResponse}.CacheScope"/>). The default consists of the client's
    /// <see cref="ChatClientMetadata"/>: provider name, address without user info and query, and default model; without metadata, of the
    /// client's type. Set it if two clients with different responses have the same metadata. Never include a key.
    /// </param>
    /// <returns>The provider.</returns>
    public static Provider<LlmResponse> AsProvider(this IChatClient client, string? scope = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        return new ChatClientProvider(client, scope);
    }
}
