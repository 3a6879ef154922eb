using FastLLM.Mapping;
using Microsoft.Extensions.AI;

namespace FastLLM;

/// <summary>Any <see cref="IChatClient"/> as a provider.</summary>
public static class ChatClientExtensions
{
    /// <summary>Has a chat client answer the requests of a manager, which adds cache, sharing, limits, retries and progress.</summary>
    /// <remarks>
    /// <para>A request's messages and parameters become chat messages and <see cref="ChatOptions"/>; parameters without an option there go
    /// into
    /// <see cref="ChatOptions.AdditionalProperties"/>, of which a client makes what it will. A temperature that was left alone is the
    /// documented 0.7;
    /// <c>Temperature = null</c> sends none. Requests for other endpoints than chat completions, and content that cannot be told to a chat
    /// client, fail with
    /// <see cref="FailureKind.NotSupported"/>.</para>
    /// <para>The answer is a <see cref="ChatCompletion"/> in OpenAI's form with text, reasoning, refusal, tool calls that nobody has
    /// answered yet, finish reason and usage.</para>
    /// <para>An <see cref="LlmException"/>, <see cref="HttpRequestException"/> or <see cref="TimeoutException"/> of the client goes through
    /// the
    /// failure table; any other exception fails the request at once, also where the client means by it that it is throttled.
    /// Switch off the client's own retries: two layers of them multiply.</para>
    /// <para>The client must be safe for concurrent use, and stays the caller's to dispose.</para>
    /// </remarks>
    /// <param name="client">The client.</param>
    /// <param name="scope">
    /// For which endpoint an answer is good (<see cref="Provider{TResponse}.CacheScope"/>). Left out, it is made of the client's
    /// <see cref="ChatClientMetadata"/>:
    /// provider name, address without user info and query, and default model; without metadata, of the client's type. Give one where two
    /// clients that
    /// answer differently have the same metadata, and never put a key in it.
    /// </param>
    /// <returns>The provider.</returns>
    public static Provider<LlmResponse> AsProvider(this IChatClient client, string? scope = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        return new ChatClientProvider(client, scope);
    }
}
