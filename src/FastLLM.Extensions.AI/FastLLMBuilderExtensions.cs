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
    /// <exception cref="ArgumentException">
    /// The key has characters that a header cannot carry, or the base URL is not an http(s) address.
    /// </exception>
    public static FastLLMBuilder UseOpenAI(
        this FastLLMBuilder builder, string apiKey, string? apiBase = null, string? organization = null) =>
        builder.UseProvider(new OpenAIProvider(apiKey, apiBase, organization));

    /// <summary>
    /// Sends requests to the server that <c>OPENAI_API_KEY</c>, <c>OPENAI_BASE_URL</c> and <c>OPENAI_ORG_ID</c> define. The variables are
    /// read when the services are first used.
    /// </summary>
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
    /// <param name="create">
    /// Creates the provider, once. It must not resolve <c>IChatClient</c>, which is FastLLM itself; resolve another client by its type or key.
    /// </param>
    /// <returns><paramref name="builder"/>, for chaining.</returns>
    public static FastLLMBuilder UseProvider(this FastLLMBuilder builder, Func<IServiceProvider, Provider<LlmResponse>> create)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(create);
        builder.CreateProvider = create;
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
