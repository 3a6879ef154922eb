using FastLLM.Services;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FastLLM;

/// <summary>Adds FastLLM to a service collection.</summary>
/// <remarks>
/// <para>Each client consists of singletons: <see cref="RequestManager"/>, <see cref="RequestManager{TResponse}"/> of
/// <see cref="LlmResponse"/>, <see cref="IChatClient"/> and <c>IEmbeddingGenerator&lt;string, Embedding&lt;float&gt;&gt;</c>, all with one
/// manager. Those of a client with a name are keyed services with that key.</para>
/// <para>Options are <see cref="IOptions{TOptions}"/> of <see cref="RequestManagerOptions"/>, by the name of the client: what
/// <c>Configure</c>, <c>PostConfigure</c> and <c>IValidateOptions</c> add applies too. A host checks everything when it starts.</para>
/// <para>The manager's progress bar is off unless the options turn it on. Its logger and clock come from the container
/// (<see cref="ILoggerFactory"/>, <see cref="TimeProvider"/>) unless the options set others.</para>
/// <para>Disposing the container, synchronously or not, closes the manager, then its cache.</para>
/// <para>A further call for the same client adds to its configuration.</para>
/// </remarks>
public static class FastLLMServiceCollectionExtensions
{
    /// <summary>Adds the client without a name.</summary>
    /// <remarks>
    /// <para><code>
    /// services.AddFastLLM(o => { o.Concurrency = 20; o.Cache = new InMemoryCache(); }).UseOpenAI(apiKey, apiBase);
    /// </code></para>
    /// <para>Choose a provider with the builder, or in the configuration; without one, the services throw when they are resolved.</para>
    /// </remarks>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the manager's options. It is called when they are first needed.</param>
    /// <returns>A builder to choose the provider.</returns>
    public static FastLLMBuilder AddFastLLM(this IServiceCollection services, Action<RequestManagerOptions>? configure = null) =>
        Configured(services, name: null, options => _ = configure is null ? options : options.Configure(configure));

    /// <summary>Adds the client without a name, with options that depend on other services.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets the manager's options. It is called when they are first needed.</param>
    /// <returns>A builder to choose the provider.</returns>
    public static FastLLMBuilder AddFastLLM(
        this IServiceCollection services, Action<IServiceProvider, RequestManagerOptions> configure) =>
        Configured(services, name: null, With(configure));

    /// <summary>Adds the client without a name, with options from the configuration.</summary>
    /// <remarks><c>docs/dependency-injection.md</c> lists the names. An unknown name or an invalid value is an error that names its path.
    /// The configuration is read once, when the options are first needed.</remarks>
    /// <param name="services">The services.</param>
    /// <param name="configuration">The section of the client: <c>configuration.GetSection("FastLLM")</c>.</param>
    /// <returns>A builder to choose the provider, unless the configuration does.</returns>
    public static FastLLMBuilder AddFastLLM(this IServiceCollection services, IConfiguration configuration) =>
        Bound(services, name: null, configuration);

    /// <summary>Adds a client with a name.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The name: the key of its services.</param>
    /// <param name="configure">Sets the manager's options. It is called when they are first needed.</param>
    /// <returns>A builder to choose the provider.</returns>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static FastLLMBuilder AddFastLLM(
        this IServiceCollection services, string name, Action<RequestManagerOptions>? configure = null) =>
        Configured(services, Checked(name), options => _ = configure is null ? options : options.Configure(configure));

    /// <summary>Adds a client with a name, with options that depend on other services.</summary>
    /// <inheritdoc cref="AddFastLLM(IServiceCollection, string, Action{RequestManagerOptions}?)"/>
    public static FastLLMBuilder AddFastLLM(
        this IServiceCollection services, string name, Action<IServiceProvider, RequestManagerOptions> configure) =>
        Configured(services, Checked(name), With(configure));

    /// <summary>Adds a client with a name, with options from the configuration.</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">The name: the key of its services.</param>
    /// <param name="configuration">The section of the client.</param>
    /// <returns>A builder to choose the provider, unless the configuration does.</returns>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public static FastLLMBuilder AddFastLLM(this IServiceCollection services, string name, IConfiguration configuration) =>
        Bound(services, Checked(name), configuration);

    private static FastLLMBuilder Bound(IServiceCollection services, string? name, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var section = new ConfiguredClient(configuration);
        FastLLMBuilder builder = Configured(services, name, options => options.Configure(section.Apply));
        builder.Configured = section;
        return builder;
    }

    private static FastLLMBuilder Configured(
        IServiceCollection services, string? name, Action<OptionsBuilder<RequestManagerOptions>> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        FastLLMBuilder builder = Find(services, name) ?? Register(services, name);
        configure(services.AddOptions<RequestManagerOptions>(name));
        return builder;
    }

    private static Action<OptionsBuilder<RequestManagerOptions>> With(Action<IServiceProvider, RequestManagerOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return options => options.Configure<IServiceProvider>((value, container) => configure(container, value));
    }

    private static string Checked(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return name;
    }

    private static FastLLMBuilder? Find(IServiceCollection services, string? name) =>
        services.Where(service => !service.IsKeyedService).Select(service => service.ImplementationInstance).OfType<FastLLMBuilder>()
            .FirstOrDefault(builder => builder.Name == name);

    private static FastLLMBuilder Register(IServiceCollection services, string? name)
    {
        var builder = new FastLLMBuilder(services, name);
        services.AddSingleton(builder);
        services.AddOptions<RequestManagerOptions>(name)
            .Configure(static options => options.ShowProgress = false)
            .PostConfigure<IServiceProvider>(static (options, container) => FillIn(options, container));
        services.AddOptions<StartCheck>(name).ValidateOnStart();
        services.AddSingleton<IValidateOptions<StartCheck>>(container => new StartValidation(builder, container));
        Add(builder, container => new ClientHost(builder, container));
        Add(builder, container => ClientHost.Of(builder, container).Manager);
        Add<RequestManager<LlmResponse>>(builder, container => ClientHost.Of(builder, container).Manager);
        Add<IChatClient>(builder, container => ClientHost.Of(builder, container).CreateChatClient());
        Add<IEmbeddingGenerator<string, Embedding<float>>>(
            builder, container => ClientHost.Of(builder, container).CreateEmbeddingGenerator());
        return builder;
    }

    private static void Add<TService>(FastLLMBuilder builder, Func<IServiceProvider, TService> create)
        where TService : class => _ = builder.Name is null
            ? builder.Services.AddSingleton(create)
            : builder.Services.AddKeyedSingleton(builder.Name, (container, _) => create(container));

    private static void FillIn(RequestManagerOptions options, IServiceProvider container)
    {
        options.Logger ??= container.GetService<ILoggerFactory>()?.CreateLogger(typeof(RequestManager).FullName!);
        if (options.TimeProvider == TimeProvider.System && container.GetService<TimeProvider>() is { } time)
        {
            options.TimeProvider = time;
        }
    }
}
