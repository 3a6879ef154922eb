using System.Text.Json;
using FastLLM.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>Represents a provider that sends its requests to a chat client.</summary>
internal sealed class ChatClientProvider : Provider<LlmResponse>
{
    // A provider has a base URL; the reserved domain, which never resolves, stands for a client without one.
    private const string NoAddress = "http://chatclient.invalid/v1";

    private static readonly Dictionary<string, string> NoHeaders = [];

    private readonly IChatClient _client;

    public ChatClientProvider(IChatClient client, string? scope)
        : this(client, client.GetService(typeof(ChatClientMetadata)) as ChatClientMetadata, scope)
    {
    }

    private ChatClientProvider(IChatClient client, ChatClientMetadata? metadata, string? scope)
        : base("", AddressOf(metadata?.ProviderUri) ?? NoAddress)
    {
        _client = client;
        CacheScope = scope ?? ScopeOf(client, metadata);
        TelemetryName = string.IsNullOrEmpty(metadata?.ProviderName) ? client.GetType().Name : metadata.ProviderName;
    }

    public override string CacheScope { get; }

    internal override string TelemetryName { get; }

    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => NoHeaders;

    public override async Task<LlmResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Endpoint != Endpoints.ChatCompletions)
        {
            throw new LlmException(FailureKind.NotSupported, $"A chat client answers {Endpoints.ChatCompletions}, not {request.Endpoint}.");
        }

        (List<ChatMessage> messages, ChatOptions options) = Read(request);
        ChatResponse response = await _client.GetResponseAsync(messages, options, cancellationToken).ConfigureAwait(false)
            ?? throw new LlmException(FailureKind.Provider, "The chat client returned null.");
        return LlmResponse.FromBody(CompletionBody.Write(response, request.Model));
    }

    private static (List<ChatMessage> Messages, ChatOptions Options) Read(LlmRequest request)
    {
        using JsonDocument document = JsonText.Parse(request.Body);
        return RequestReading.Read(document.RootElement.Clone());
    }

    private static string? AddressOf(Uri? uri) => uri is { IsAbsoluteUri: true, Scheme: "http" or "https" }
        ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/')
        : null;

    private static string ScopeOf(IChatClient client, ChatClientMetadata? metadata) =>
        metadata is null or { ProviderName: null, ProviderUri: null, DefaultModelId: null }
            ? $"chatclient {client.GetType().FullName}"
            : string.Join(' ', ((string?[])["chatclient", metadata.ProviderName, AddressOf(metadata.ProviderUri), metadata.DefaultModelId])
                .Where(part => !string.IsNullOrEmpty(part)));
}
