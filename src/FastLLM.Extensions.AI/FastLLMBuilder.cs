using Microsoft.Extensions.DependencyInjection;

namespace FastLLM;

/// <summary>Configures the provider after <see cref="FastLLMServiceCollectionExtensions.AddFastLLM"/>. The last choice wins.</summary>
public sealed class FastLLMBuilder
{
    internal FastLLMBuilder(IServiceCollection services) => Services = services;

    /// <summary>Gets the service collection.</summary>
    public IServiceCollection Services { get; }

    internal List<Action<RequestManagerOptions>> Configure { get; } = [];

    internal Func<IServiceProvider, Provider<LlmResponse>>? CreateProvider { get; set; }

    internal string? ChatModel { get; set; }

    internal string? EmbeddingModel { get; set; }
}
