using Microsoft.Extensions.DependencyInjection;

namespace FastLLM;

/// <summary>Says who answers, after <see cref="FastLLMServiceCollectionExtensions.AddFastLLM"/>. What is chosen last counts.</summary>
public sealed class FastLLMBuilder
{
    internal FastLLMBuilder(IServiceCollection services) => Services = services;

    /// <summary>Gets the services that FastLLM is added to.</summary>
    public IServiceCollection Services { get; }

    internal List<Action<RequestManagerOptions>> Configure { get; } = [];

    internal Func<IServiceProvider, Provider<LlmResponse>>? CreateProvider { get; set; }

    internal string? ChatModel { get; set; }

    internal string? EmbeddingModel { get; set; }
}
