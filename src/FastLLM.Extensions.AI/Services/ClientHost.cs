using FastLLM.Mapping;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace FastLLM.Services;

/// <summary>Represents the manager of a client in a container, with its provider and cache. Disposing it closes the manager, then the
/// cache.</summary>
internal sealed class ClientHost : IAsyncDisposable, IDisposable
{
    private readonly FastLLMBuilder _builder;
    private readonly Uri? _address;
    private readonly CacheProvider? _ownCache;

    public ClientHost(FastLLMBuilder builder, IServiceProvider container)
    {
        _builder = builder;
        Provider<LlmResponse> provider = Choose(builder, container);
        RequestManagerOptions options = OptionsOf(builder, container);
        options.HttpMessageHandler ??= builder.CreateHandler?.Invoke(container);
        bool isGiven = builder.Cache is { IsOwned: false };
        options.Cache = builder.Cache?.Create(container) ?? options.Cache ?? builder.Configured?.OpenCache();
        _ownCache = isGiven ? null : options.Cache;
        _address = AddressOf(provider);
        try
        {
            Manager = new RequestManager(provider, options);
        }
        catch
        {
            Dispose();
            throw;
        }

        Health = new ClientHealth(Manager);
    }

    public RequestManager Manager { get; } = null!;

    /// <summary>Gets the state of the client between two health checks.</summary>
    public ClientHealth Health { get; }

    private TimeSpan? MaxWait => _builder.MaxWait ?? _builder.Configured?.MaxWait;

    /// <summary>Gets the host of a client.</summary>
    public static ClientHost Of(FastLLMBuilder builder, IServiceProvider container) => Of(builder.Name, container);

    /// <summary>Gets the host of the client with a name; <see langword="null"/> for the client without.</summary>
    public static ClientHost Of(string? name, IServiceProvider container) => name is null
        ? container.GetRequiredService<ClientHost>()
        : container.GetRequiredKeyedService<ClientHost>(name);

    public FastLLMChatClient CreateChatClient()
    {
        string? model = _builder.ChatModel ?? _builder.Configured?.ChatModel;
        return MaxWait is { } wait
            ? new FastLLMChatClient(Manager, model, _address) { MaxWait = wait }
            : new FastLLMChatClient(Manager, model, _address);
    }

    public FastLLMEmbeddingGenerator CreateEmbeddingGenerator()
    {
        string? model = _builder.EmbeddingModel ?? _builder.Configured?.EmbeddingModel;
        return MaxWait is { } wait
            ? new FastLLMEmbeddingGenerator(Manager, model, _address) { MaxWait = wait }
            : new FastLLMEmbeddingGenerator(Manager, model, _address);
    }

    public async ValueTask DisposeAsync()
    {
        Manager?.Dispose();
        if (_ownCache is not null)
        {
            await _ownCache.DisposeAsync().ConfigureAwait(false);
        }
    }

    // On another thread: the caller's may have a synchronization context, which a cache of the user might need.
    public void Dispose() => Task.Run(() => DisposeAsync().AsTask()).GetAwaiter().GetResult();

    private static Provider<LlmResponse> Choose(FastLLMBuilder builder, IServiceProvider container)
    {
        if ((builder.CreateProvider ?? builder.Configured?.CreateProvider()) is not { } create)
        {
            string call = builder.Name is null ? "AddFastLLM()" : $"AddFastLLM(\"{builder.Name}\")";
            throw new InvalidOperationException(
                $"FastLLM has no provider. Choose one: services.{call}.UseOpenAI(apiKey), .UseOpenAI() for the environment's key, "
                + ".UseProvider(provider), or ApiKey and ApiBase in the configuration.");
        }

        return create(container)
            ?? throw new InvalidOperationException("FastLLM has no provider: the function given to UseProvider returned null.");
    }

    // The instance that applications get too: each further one would call what sets the options again.
    private static RequestManagerOptions OptionsOf(FastLLMBuilder builder, IServiceProvider container) => builder.Name is null
        ? container.GetRequiredService<IOptions<RequestManagerOptions>>().Value
        : container.GetRequiredService<IOptionsMonitor<RequestManagerOptions>>().Get(builder.Name);

    // A scope begins with the base URL and never holds a key.
    private static Uri? AddressOf(Provider<LlmResponse> provider) =>
        Uri.TryCreate(provider.CacheScope.Split(' ')[0], UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https"
            ? address : null;
}
