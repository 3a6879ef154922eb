using System.Collections.Concurrent;
using System.Text;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Xunit;

namespace FastLLM.Tests.ExtensionsAI;

/// <summary>Configuration, names, lifetimes and health of clients in a container.</summary>
public sealed class ServiceOptionsTests
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AddFastLLM_Section_SetsOptionsProviderAndCache()
    {
        await using SimulatorServer simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        string folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
        IConfiguration section = Configuration(
            ("ApiKey", "key"), ("ApiBase", simulator.ApiBase), ("ChatModel", "m"), ("EmbeddingModel", "e"), ("MaxWait", "00:00:45"),
            ("concurrency", "7"), ("Timeout", "00:01:30"), ("TotalTimeout", ""), ("RateLimits:RequestsPerMinute", "6000"), ("Budget", "2.5"),
            ("Prices", "builtin"), ("RefreshFinishReasons:0", "length"), ("StreamMode", "auto"), ("MaxErrorShare", "0.5"), ("AdaptiveConcurrency", "true"),
            ("Cache:Directory", Path.Combine(folder, "cache")), ("Cache:Ttl", "7.00:00:00"));
        var services = new ServiceCollection();
        services.AddFastLLM(section);
        await using (ServiceProvider container = services.BuildServiceProvider())
        {
            RequestManagerOptions options = container.GetRequiredService<IOptions<RequestManagerOptions>>().Value;
            Assert.Equal(
                (7, TimeSpan.FromSeconds(90), 6000L, 2.5m, StreamMode.Auto, 0.5, true),
                (options.Concurrency, options.Timeout, options.RateLimits!.RequestsPerMinute, options.Budget, options.StreamMode, options.MaxErrorShare, options.AdaptiveConcurrency));
            Assert.Equal(["length"], options.RefreshFinishReasons);
            Assert.Null(options.TotalTimeout);
            Assert.Same(PriceTable.BuiltIn, options.Prices);

            var chat = container.GetRequiredService<IChatClient>();
            Assert.Equal(TimeSpan.FromSeconds(45), Assert.IsType<FastLLMChatClient>(chat).MaxWait);
            Assert.Equal("m", ((ChatClientMetadata)chat.GetService(typeof(ChatClientMetadata))!).DefaultModelId);
            Assert.IsType<DiskCache>(options.Cache);
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task AddFastLLM_InvalidSection_NamesEachPath()
    {
        IConfiguration configuration = Configuration(
            ("LLM:ApiKey", "key"), ("LLM:Concurrency", "0"), ("LLM:Timeout", "30"), ("LLM:Concurency", "5"), ("LLM:RateLimits:Rpm", "1"),
            ("LLM:MaxWait", "-1:00:00"), ("LLM:Prices", "no-such-file.json"));
        var services = new ServiceCollection();
        services.AddFastLLM(configuration.GetSection("LLM"));
        await using ServiceProvider container = services.BuildServiceProvider();

        string[] failures = [.. Assert.Throws<OptionsValidationException>(container.GetRequiredService<RequestManager>).Failures.Order(StringComparer.Ordinal)];

        Assert.Equal(
            ["LLM:Concurency:", "LLM:Concurrency:", "LLM:MaxWait:", "LLM:Prices:", "LLM:RateLimits:Rpm:", "LLM:Timeout:"],
            failures.Select(failure => failure.Split(' ')[0]));
        Assert.Contains("Known names: AdaptiveConcurrency, ApiBase", failures[0], StringComparison.Ordinal);
        Assert.Contains("00:00:30", failures[5], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "FastLLM has no provider")]
    [InlineData("FirstByteTimeout", "is longer than Timeout")]
    [InlineData("Concurrency", "FastLLM:Concurrency")]
    public async Task Host_InvalidClient_DoesNotStart(string? option, string message)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["FastLLM:ApiKey"] = "key", [$"FastLLM:{option}"] = "01:00:00" });
        if (option is null)
        {
            builder.Services.AddFastLLM("other");
        }
        else
        {
            builder.Services.AddFastLLM(builder.Configuration.GetSection("FastLLM"));
        }

        using IHost host = builder.Build();

        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(Ended));
        Assert.Contains(message, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddFastLLM_Names_AreKeyedServicesWithProvidersOfTheirOwn()
    {
        var services = new ServiceCollection();
        services.AddSingleton(new Answer("from the container"));
        services.AddFastLLM("small", o => o.Concurrency = 3).UseProvider(new BodyProvider(_ => Body("small"))).UseChatModel("s");
        services.AddFastLLM("large", (container, o) => o.Concurrency = container.GetRequiredService<Answer>().Text.Length).UseProvider<OwnProvider>();
        services.Configure<RequestManagerOptions>("small", o => o.RetryAttempts = 9);
        await using ServiceProvider container = services.BuildServiceProvider();

        var small = container.GetRequiredKeyedService<IChatClient>("small");
        var large = container.GetRequiredKeyedService<IChatClient>("large");

        Assert.Null(container.GetService<IChatClient>());
        Assert.Equal(("small", "from the container"), ((await small.GetResponseAsync("hi", cancellationToken: Ended)).Text, (await large.GetResponseAsync("hi", cancellationToken: Ended)).Text));
        Assert.Same(container.GetRequiredKeyedService<RequestManager>("small"), small.GetService(typeof(RequestManager)));
        Assert.NotSame(container.GetRequiredKeyedService<RequestManager>("large"), small.GetService(typeof(RequestManager)));
        var options = container.GetRequiredService<IOptionsMonitor<RequestManagerOptions>>();
        Assert.Equal((3, 9, 18, 3), (options.Get("small").Concurrency, options.Get("small").RetryAttempts, options.Get("large").Concurrency, options.Get("large").RetryAttempts));
        Assert.Throws<ArgumentException>(() => services.AddFastLLM("", o => o.Concurrency = 1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Dispose_Container_ClosesManagerAndCache(bool synchronously)
    {
        var (owned, set, given) = (new ClosingCache(), new ClosingCache(), new ClosingCache());
        var services = new ServiceCollection();
        services.AddFastLLM("owned").UseProvider(new BodyProvider(_ => BodyProvider.Hello)).UseCache(_ => owned);
        services.AddFastLLM("set", o => o.Cache = set).UseProvider(new BodyProvider(_ => BodyProvider.Hello));
        services.AddFastLLM("given").UseProvider(new BodyProvider(_ => BodyProvider.Hello)).UseCache(given);
        ServiceProvider container = services.BuildServiceProvider();
        RequestManager[] managers = [.. ((string[])["owned", "set", "given"]).Select(name => container.GetRequiredKeyedService<RequestManager>(name))];

        if (synchronously)
        {
            container.Dispose();
        }
        else
        {
            await container.DisposeAsync();
        }

        Assert.Equal((true, true, false), (owned.IsClosed, set.IsClosed, given.IsClosed));
        Assert.All(managers, manager => Assert.Throws<ObjectDisposedException>(() => { manager.ProcessBatch([], Ended); }));
    }

    [Fact]
    public async Task UseHttpClient_SendsThroughItsHandlers_AndFollowsNoRedirect()
    {
        await using var server = FaultServer.Start((request, connection) => request.Number == 1
            ? connection.RespondAsync(307, "{}"u8.ToArray(), ("Location", "http://127.0.0.1:1/elsewhere"))
            : connection.RespondAsync(200, Encoding.UTF8.GetBytes(BodyProvider.Hello)));
        var seen = new SeenHandler();
        var services = new ServiceCollection();
        services.AddFastLLM(o => o.RetryAttempts = 1).UseOpenAI("key", server.ApiBase).UseHttpClient(configure: client => client.AddHttpMessageHandler(() => seen));
        await using ServiceProvider container = services.BuildServiceProvider();
        var chat = container.GetRequiredService<IChatClient>();

        var refused = await Assert.ThrowsAsync<LlmException>(() => chat.GetResponseAsync("first", cancellationToken: Ended));
        ChatResponse answered = await chat.GetResponseAsync("second", cancellationToken: Ended);

        Assert.Equal((FailureKind.Redirect, "hello", 2), (refused.Kind, answered.Text, seen.Count));
    }

    [Fact]
    public async Task HealthCheck_ReportsAProviderThatIsDown()
    {
        var signals = new LogSignals();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddFastLLM("up").UseProvider(new BodyProvider(_ => BodyProvider.Hello));
        services.AddFastLLM("down", o => { o.Concurrency = 50; o.Logger = signals; o.TimeProvider = new ManualTimeProvider(); })
            .UseProvider(new BodyProvider(_ => throw new LlmException(FailureKind.ConnectionRefused, "refused")));
        services.AddHealthChecks().AddFastLLM("up").AddFastLLM("down", failureStatus: HealthStatus.Degraded, tags: ["ready"]);
        await using ServiceProvider container = services.BuildServiceProvider();
        var health = container.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(Ended)).Status);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ended);
        Task batch = container.GetRequiredKeyedService<RequestManager>("down")
            .ProcessBatchAsync([.. Enumerable.Range(0, 40).Select(i => LlmRequest.FromPrompt("test", $"q{i}", "m"))], stop.Token);
        await signals.WaitForAsync("ProviderDown", Ended);
        HealthReport report = await health.CheckHealthAsync(Ended);

        Assert.Equal((HealthStatus.Healthy, HealthStatus.Degraded), (report.Entries["fastllm-up"].Status, report.Entries["fastllm-down"].Status));
        Assert.StartsWith("The provider is down for m;", report.Entries["fastllm-down"].Description, StringComparison.Ordinal);
        Assert.Contains("waiting", report.Entries["fastllm-down"].Data.Keys);
        await stop.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(() => batch);
    }

    [Theory]
    [InlineData("m", false, null, 20)]
    [InlineData("o3-mini", false, null, 120)]
    [InlineData("m", true, null, 30)]
    [InlineData("o3-mini", true, null, 600)]
    [InlineData("m", false, 50, 50)]
    public async Task Call_TimeoutLeftAlone_IsShorterThanThatOfABatch(string model, bool streamed, int? chosen, int expected)
    {
        var provider = new TimeoutProvider();
        var services = new ServiceCollection();
        services.AddFastLLM(o =>
        {
            if (chosen is { } seconds)
            {
                o.Timeout = TimeSpan.FromSeconds(seconds);
            }
        }).UseProvider(provider);
        await using ServiceProvider container = services.BuildServiceProvider();
        var chat = container.GetRequiredService<IChatClient>();
        var options = new ChatOptions { ModelId = model };

        _ = streamed
            ? await chat.GetStreamingResponseAsync("hi", options, Ended).ToChatResponseAsync(Ended)
            : await chat.GetResponseAsync("hi", options, Ended);

        Assert.Equal([TimeSpan.FromSeconds(expected)], provider.Timeouts);
    }

    [Fact]
    public void UseMaxWait_SetsTheChatClients()
    {
        var services = new ServiceCollection();
        services.AddFastLLM().UseProvider(new TimeoutProvider()).UseMaxWait(TimeSpan.FromSeconds(5));
        using ServiceProvider container = services.BuildServiceProvider();

        Assert.Equal(TimeSpan.FromSeconds(5), ((FastLLMChatClient)container.GetRequiredService<IChatClient>()).MaxWait);
        Assert.Equal(
            TimeSpan.FromSeconds(5),
            ((FastLLMEmbeddingGenerator)container.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>()).MaxWait);
        Assert.Throws<ArgumentOutOfRangeException>(() => services.AddFastLLM().UseMaxWait(TimeSpan.Zero));
    }

    private static IConfiguration Configuration(params (string Name, string Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(value => KeyValuePair.Create(value.Name, (string?)value.Value))).Build();

    private static string Body(string text) => BodyProvider.Hello.Replace("hello", text, StringComparison.Ordinal);

    private sealed record Answer(string Text);

    private sealed class OwnProvider(Answer answer) : Provider<LlmResponse>("", "http://own.test/v1")
    {
        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

        public override Task<LlmResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default) =>
            Task.FromResult(LlmResponse.FromBody(Encoding.UTF8.GetBytes(Body(answer.Text))));
    }

    private sealed class TimeoutProvider() : Provider<LlmResponse>("", "http://own.test/v1")
    {
        public ConcurrentQueue<TimeSpan> Timeouts { get; } = [];

        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

        public override Task<LlmResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
        {
            Timeouts.Enqueue(timeout);
            return Task.FromResult(LlmResponse.FromBody(Encoding.UTF8.GetBytes(BodyProvider.Hello)));
        }
    }

    private sealed class ClosingCache : CacheProvider
    {
        private readonly InMemoryCache _cache = new();

        public bool IsClosed { get; private set; }

        public override ValueTask<bool> ExistsAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default) => _cache.ExistsAsync(key, scope, cancellationToken);

        public override ValueTask<CacheEntry?> GetAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default) => _cache.GetAsync(key, scope, cancellationToken);

        public override ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default) => _cache.PutAsync(key, entry, cancellationToken);

        public override ValueTask ClearAsync(CancellationToken cancellationToken = default) => _cache.ClearAsync(cancellationToken);

        public override async ValueTask CloseAsync(CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            IsClosed = true;
        }
    }

    private sealed class SeenHandler : DelegatingHandler
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _count);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
