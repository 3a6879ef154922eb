using FastLLM.Mapping;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FastLLM;

/// <summary>Adds FastLLM to a service collection.</summary>
public static class FastLLMServiceCollectionExtensions
{
    /// <summary>
    /// Adds, as singletons, <see cref="RequestManager"/>, <see cref="RequestManager{TResponse}"/> of <see cref="LlmResponse"/>,
    /// <see cref="IChatClient"/> and <c>IEmbeddingGenerator&lt;string, Embedding&lt;float&gt;&gt;</c>: all with one manager.
    /// </summary>
    /// <remarks>
    /// <para><code>
    /// services.AddFastLLM(o => { o.Concurrency = 20; o.Cache = new InMemoryCache(); }).UseOpenAI(apiKey, apiBase);
    /// </code></para>
    /// <para>Choose a provider with the builder; without one, the services throw when they are resolved. A further call adds to the
    /// configuration.</para>
    /// <para>The manager's progress bar is off unless <paramref name="configure"/> turns it on. Its logger and clock come from the container
    /// (<see cref="ILoggerFactory"/>, <see cref="TimeProvider"/>) unless <paramref name="configure"/> sets others.</para>
    /// <para>Dispose the container with <c>await using</c>, as a host does: the manager has no synchronous <c>Dispose</c>. The caller
    /// closes the cache.</para>
    /// </remarks>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the manager's options. It is called when the manager is first resolved.</param>
    /// <returns>A builder to choose the provider.</returns>
    public static FastLLMBuilder AddFastLLM(this IServiceCollection services, Action<RequestManagerOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        FastLLMBuilder builder = Find(services) ?? Register(services);
        if (configure is not null)
        {
            builder.Configure.Add(configure);
        }

        return builder;
    }

    private static FastLLMBuilder? Find(IServiceCollection services) =>
        services.FirstOrDefault(service => service.ServiceType == typeof(FastLLMBuilder))?.ImplementationInstance as FastLLMBuilder;

    private static FastLLMBuilder Register(IServiceCollection services)
    {
        var builder = new FastLLMBuilder(services);
        services.AddSingleton(builder);
        services.AddSingleton(container => new ChosenProvider(Choose(builder, container)));
        services.AddSingleton(container =>
            new RequestManager(container.GetRequiredService<ChosenProvider>().Provider, OptionsOf(builder, container)));
        services.AddSingleton<RequestManager<LlmResponse>>(static container => container.GetRequiredService<RequestManager>());
        services.AddSingleton<IChatClient>(container => new FastLLMChatClient(
            container.GetRequiredService<RequestManager>(), builder.ChatModel, container.GetRequiredService<ChosenProvider>().Address));
        services.AddSingleton<IEmbeddingGenerator<string, Embedding<float>>>(container => new FastLLMEmbeddingGenerator(
            container.GetRequiredService<RequestManager>(), builder.EmbeddingModel,
            container.GetRequiredService<ChosenProvider>().Address));
        return builder;
    }

    private static Provider<LlmResponse> Choose(FastLLMBuilder builder, IServiceProvider container)
    {
        if (builder.CreateProvider is not { } create)
        {
            throw new InvalidOperationException(
                "FastLLM has no provider. "
                + "Choose one: services.AddFastLLM().UseOpenAI(apiKey), .UseOpenAI() for the environment's key, or .UseProvider(provider).");
        }

        return create(container)
            ?? throw new InvalidOperationException("FastLLM has no provider: the function given to UseProvider returned null.");
    }

    private static RequestManagerOptions OptionsOf(FastLLMBuilder builder, IServiceProvider container)
    {
        var options = new RequestManagerOptions { ShowProgress = false };
        foreach (Action<RequestManagerOptions> configure in builder.Configure)
        {
            configure(options);
        }

        options.Logger ??= container.GetService<ILoggerFactory>()?.CreateLogger(typeof(RequestManager).FullName!);
        if (options.TimeProvider == TimeProvider.System && container.GetService<TimeProvider>() is { } time)
        {
            options.TimeProvider = time;
        }

        return options;
    }
}
