using System.Diagnostics.CodeAnalysis;
using FastLLM.Mapping;
using FastLLM.Services;
using Microsoft.Extensions.DependencyInjection;

namespace FastLLM;

/// <summary>Extension methods for <see cref="FastLLMBuilder"/>.</summary>
public static class FastLLMBuilderExtensions
{
    /// <summary>Sends requests to OpenAI, or to any server with its protocol.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="apiKey">The key; an empty string sends none, for servers that need none.</param>
    /// <param name="apiBase">The base URL, with its <c>/v1</c>; <see langword="null"/> for OpenAI's own.</param>
    /// <param name="organization">The organization to bill, if the key has several.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    /// <exception cref="ArgumentException">The key has characters that a header cannot carry, or the base URL is not an http(s)
    /// address.</exception>
    public static FastLLMBuilder UseOpenAI(
        this FastLLMBuilder builder, string apiKey, string? apiBase = null, string? organization = null) =>
        builder.UseProvider(new OpenAIProvider(apiKey, apiBase, organization));

    /// <summary>Sends requests to the server that <c>OPENAI_API_KEY</c>, <c>OPENAI_BASE_URL</c> and <c>OPENAI_ORG_ID</c> define. The
    /// variables are read when the services are first used.</summary>
    /// <param name="builder">The builder.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseOpenAI(this FastLLMBuilder builder) =>
        builder.UseProvider(static _ => OpenAIProvider.FromEnvironment());

    /// <summary>Uses a provider.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="provider">The provider.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseProvider(this FastLLMBuilder builder, Provider<LlmResponse> provider)
    {
        ArgumentNullException.ThrowIfNull(provider);
        return builder.UseProvider(_ => provider);
    }

    /// <summary>Uses a provider that is created from other services.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="create">Creates the provider, once. It must not resolve <c>IChatClient</c>, which is FastLLM itself; resolve another
    /// client by its type or key.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseProvider(this FastLLMBuilder builder, Func<IServiceProvider, Provider<LlmResponse>> create)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(create);
        builder.CreateProvider = create;
        return builder;
    }

    /// <summary>Uses a provider of a type: the container's service of that type if there is one; otherwise it is created, and its
    /// constructor gets services.</summary>
    /// <typeparam name="TProvider">The type.</typeparam>
    /// <param name="builder">The builder.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseProvider<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] TProvider>(
        this FastLLMBuilder builder)
        where TProvider : Provider<LlmResponse> =>
        builder.UseProvider(static container =>
            container.GetService<TProvider>() ?? ActivatorUtilities.CreateInstance<TProvider>(container));

    /// <summary>Uses a cache that several clients may share. The container does not close it.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="cache">The cache.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseCache(this FastLLMBuilder builder, CacheProvider cache)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(cache);
        builder.Cache = (_ => cache, IsOwned: false);
        return builder;
    }

    /// <summary>Uses a cache that is created from other services. The container closes it, after the manager.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="create">Creates the cache, once.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseCache(this FastLLMBuilder builder, Func<IServiceProvider, CacheProvider> create)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(create);
        builder.Cache = (create, IsOwned: true);
        return builder;
    }

    /// <summary>Uses a cache on disk. The container closes it, after the manager.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="directory">The folder.</param>
    /// <param name="options">The options of the cache.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseDiskCache(this FastLLMBuilder builder, string directory, DiskCacheOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        return builder.UseCache(_ => new DiskCache(directory, options));
    }

    /// <summary>Sends over the handlers of an <see cref="IHttpClientFactory"/>: what is configured for its client, such as delegating
    /// handlers, logging or a proxy, applies to every send.</summary>
    /// <remarks>
    /// <para>The primary handler follows no redirects, which would carry prompts and key to another host, and has no cookies.
    /// <c>ConfigurePrimaryHttpMessageHandler</c> replaces it. The timeout of the client is not used: see
    /// <see cref="RequestManagerOptions.Timeout"/>.</para>
    /// <para>Leave retries, rate limits and circuit breakers to FastLLM: a second layer multiplies sends, and hides from FastLLM what the
    /// provider allows.</para>
    /// </remarks>
    /// <param name="builder">The builder.</param>
    /// <param name="httpClient">The name of the HTTP client; <see langword="null"/> for <c>FastLLM</c>, with the name of the client behind
    /// it.</param>
    /// <param name="configure">Configures the HTTP client.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseHttpClient(
        this FastLLMBuilder builder, string? httpClient = null, Action<IHttpClientBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        string name = httpClient ?? (builder.Name is null ? "FastLLM" : $"FastLLM-{builder.Name}");
        IHttpClientBuilder client = builder.Services.AddHttpClient(name).ConfigurePrimaryHttpMessageHandler(static () =>
            new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, EnableMultipleHttp2Connections = true });
        configure?.Invoke(client);
        builder.CreateHandler =
            container => new FactoryHandler(container.GetRequiredService<IHttpMessageHandlerFactory>(), name);
        return builder;
    }

    /// <summary>Sets the time after which nothing more is sent for a call of the chat client or embedding generator that has no
    /// answer.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="maxWait">The time; see <see cref="FastLLMChatClient.MaxWait"/>. <see cref="Timeout.InfiniteTimeSpan"/> for no
    /// end.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is not positive.</exception>
    public static FastLLMBuilder UseMaxWait(this FastLLMBuilder builder, TimeSpan maxWait)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.MaxWait = SingleRequest.Check(maxWait);
        return builder;
    }

    /// <summary>Sets the model of chat calls that set none.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="model">The model.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseChatModel(this FastLLMBuilder builder, string model)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(model);
        builder.ChatModel = model;
        return builder;
    }

    /// <summary>Sets the model of embedding calls that set none.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="model">The model.</param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseEmbeddingModel(this FastLLMBuilder builder, string model)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(model);
        builder.EmbeddingModel = model;
        return builder;
    }
}
