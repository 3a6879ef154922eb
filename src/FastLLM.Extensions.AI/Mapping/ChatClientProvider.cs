using System.Text.Json;
using Microsoft.Extensions.AI;

namespace FastLLM.Mapping;

/// <summary>A provider that asks a chat client.</summary>
internal sealed class ChatClientProvider : Provider<LlmResponse>
{
    // A provider has a base URL; what is reserved never to resolve stands for a client that has none.
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
    }

    public override string CacheScope { get; }

    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => NoHeaders;

    public override async Task<LlmResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Endpoint != Endpoints.ChatCompletions)
        {
            throw new LlmException(FailureKind.NotSupported, $"A chat client answers {Endpoints.ChatCompletions}, not {request.Endpoint}.");
        }

        (List<ChatMessage> messages, ChatOptions options) = await ReadAsync(request, cancellationToken).ConfigureAwait(false);
        ChatResponse response = await _client.GetResponseAsync(messages, options, cancellationToken).ConfigureAwait(false)
            ?? throw new LlmException(FailureKind.Provider, "The chat client returned null.");
        return LlmResponse.FromBody(CompletionBody.Write(response, request.Model));
    }

    // A request's bytes are public in one form, the line of a batch file. They are what was asked for, whichever way the request was made.
    private static async Task<(List<ChatMessage> Messages, ChatOptions Options)> ReadAsync(LlmRequest request, CancellationToken cancellationToken)
    {
        var batch = new RequestBatch();
        batch.Add(request);
        using var line = new MemoryStream();
        await batch.WriteAsync(line, cancellationToken).ConfigureAwait(false);
        using JsonDocument document = JsonDocument.Parse(line.GetBuffer().AsMemory(0, (int)line.Length), new JsonDocumentOptions { MaxDepth = 260 });
        return RequestReading.Read(document.RootElement.GetProperty("body").Clone());
    }

    private static string? AddressOf(Uri? uri) => uri is { IsAbsoluteUri: true, Scheme: "http" or "https" }
        ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/')
        : null;

    private static string ScopeOf(IChatClient client, ChatClientMetadata? metadata) =>
        metadata is null or { ProviderName: null, ProviderUri: null, DefaultModelId: null }
            ? $"chatclient {client.GetType().FullName}"
            : string.Join(' ', new[] { "chatclient", metadata.ProviderName, AddressOf(metadata.ProviderUri), metadata.DefaultModelId }.Where(part => !string.IsNullOrEmpty(part)));
}
