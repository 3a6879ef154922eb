using FastLLM.Diagnostics;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace FastLLM.Tests.ExtensionsAI;

public sealed class ServicesTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AddFastLLM_AllServices_ShareOneManager()
    {
        await using SimulatorServer simulator = await SimulatorServer.StartAsync(cancellationToken: Cancel);
        var services = new ServiceCollection();
        services.AddFastLLM(o => { o.Concurrency = 20; o.Cache = new InMemoryCache(); }).UseOpenAI("key", simulator.ApiBase).UseChatModel("m").UseEmbeddingModel("e");
        await using ServiceProvider container = services.BuildServiceProvider();

        var chat = container.GetRequiredService<IChatClient>();
        var embeddings = container.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
        var manager = container.GetRequiredService<RequestManager>();

        Assert.Same(manager, container.GetRequiredService<RequestManager<LlmResponse>>());
        Assert.Same(manager, chat.GetService(typeof(RequestManager)));
        Assert.Same(manager, embeddings.GetService(typeof(RequestManager)));
        Assert.Same(chat, container.GetRequiredService<IChatClient>());
        Assert.Equal(new Uri(simulator.ApiBase), ((ChatClientMetadata)chat.GetService(typeof(ChatClientMetadata))!).ProviderUri);
        Assert.NotEmpty((await chat.GetResponseAsync("hi", cancellationToken: Cancel)).Text);
        await chat.GetResponseAsync("hi", cancellationToken: Cancel);
        Assert.Equal(8, (await embeddings.GenerateAsync(["a"], cancellationToken: Cancel))[0].Dimensions);
        Assert.Equal(2, simulator.Stats.Sends);
        Assert.Equal(1, manager.Stats.CacheHits);
    }

    [Fact]
    public async Task AddFastLLM_NoProvider_ThrowsWithTheMethods()
    {
        var services = new ServiceCollection();
        services.AddFastLLM();
        await using ServiceProvider container = services.BuildServiceProvider();

        Assert.All((Type[])[typeof(IChatClient), typeof(RequestManager), typeof(IEmbeddingGenerator<string, Embedding<float>>)], type =>
            Assert.Contains("UseOpenAI", Assert.Throws<InvalidOperationException>(() => container.GetRequiredService(type)).Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task AddFastLLM_ClockAndLogger_ComeFromTheContainer()
    {
        var time = new ManualTimeProvider();
        RequestManagerOptions? seen = null;
        var own = new ManualTimeProvider();
        var factory = new Factory();
        var services = new ServiceCollection();
        services.AddSingleton<TimeProvider>(time).AddSingleton<ILoggerFactory>(factory);
        services.AddFastLLM(o => seen = o).UseProvider(new BodyProvider(_ => BodyProvider.Hello));
        await using (ServiceProvider container = services.BuildServiceProvider())
        {
            container.GetRequiredService<RequestManager>();
        }

        Assert.False(seen!.ShowProgress);
        Assert.Same(time, seen.TimeProvider);
        Assert.Same(factory.Logger, seen.Logger);
        Assert.Equal("FastLLM.RequestManager", factory.Category);

        services.AddFastLLM(o => { o.TimeProvider = own; o.Logger = NullLogger.Instance; o.ShowProgress = true; });
        await using (ServiceProvider container = services.BuildServiceProvider())
        {
            container.GetRequiredService<RequestManager>();
        }

        Assert.True(seen.ShowProgress);
        Assert.Same(own, seen.TimeProvider);
        Assert.Same(NullLogger.Instance, seen.Logger);
        Assert.Single(services, service => service.ServiceType == typeof(IChatClient));
    }

    [Fact]
    public async Task UseProvider_Factory_GetsServices()
    {
        var fake = new FakeChatClient((_, _) => new ChatResponse(new ChatMessage(ChatRole.Assistant, "from afar")));
        var services = new ServiceCollection();
        services.AddKeyedSingleton<IChatClient>("afar", fake);
        services.AddFastLLM().UseProvider(container => container.GetRequiredKeyedService<IChatClient>("afar").AsProvider());
        await using ServiceProvider container = services.BuildServiceProvider();

        Assert.Equal("from afar", (await container.GetRequiredService<IChatClient>().GetResponseAsync("hi", cancellationToken: Cancel)).Text);
        Assert.Throws<ArgumentException>(() => services.AddFastLLM().UseOpenAI("key", "no address"));
        Assert.Throws<ArgumentNullException>(() => services.AddFastLLM().UseProvider((Provider<LlmResponse>)null!));
    }

    private sealed class Factory : ILoggerFactory
    {
        public ILogger Logger { get; } = new Nothing();

        public string? Category { get; private set; }

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName)
        {
            Category = categoryName;
            return Logger;
        }

        public void Dispose()
        {
        }
    }

    private sealed class Nothing : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => false;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
        }
    }
}
