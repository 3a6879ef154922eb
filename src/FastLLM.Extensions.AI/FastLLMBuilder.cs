using FastLLM.Services;
using Microsoft.Extensions.DependencyInjection;

namespace FastLLM;

/// <summary>Configures one client after <c>AddFastLLM</c>. The last choice wins, and each takes precedence over the
/// configuration.</summary>
public sealed class FastLLMBuilder
{
    internal FastLLMBuilder(IServiceCollection services, string? name)
    {
        Services = services;
        Name = name;
    }

    /// <summary>Gets the service collection.</summary>
    public IServiceCollection Services { get; }

    /// <summary>Gets the name of the client, which is the key of its services and the name of its options; <see langword="null"/> for the
    /// client without a name.</summary>
    public string? Name { get; }

    /// <summary>Gets or sets the client's section of the configuration, if there is one.</summary>
    internal ConfiguredClient? Configured { get; set; }

    internal Func<IServiceProvider, Provider<LlmResponse>>? CreateProvider { get; set; }

    /// <summary>Gets or sets what creates the cache, and whether the container closes it.</summary>
    internal (Func<IServiceProvider, CacheProvider> Create, bool IsOwned)? Cache { get; set; }

    internal Func<IServiceProvider, HttpMessageHandler>? CreateHandler { get; set; }

    internal string? ChatModel { get; set; }

    internal string? EmbeddingModel { get; set; }

    internal TimeSpan? MaxWait { get; set; }
}
