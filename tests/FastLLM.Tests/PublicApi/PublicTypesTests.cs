using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using FastLLM.TestKit;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace FastLLM.Tests.PublicApi;

/// <summary>Row by row, the types of the public face beside requests, caches and the manager.</summary>
public sealed partial class PublicTypesTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Message_HasFactoriesAndConvertsFromText()
    {
        Message fromText = "hi";

        Assert.Equal(["system", "developer", "user", "assistant", "tool"], new[] { Message.System("x"), Message.Developer("x"), Message.User("x"), Message.Assistant("x"), Message.Tool("id", "x") }.Select(m => m.Role));
        Assert.Equal(Message.User("hi"), fromText);
        Assert.Equal("id", Message.Tool("id", "x").ToolCallId);
        Assert.Equal("function", new Message("function", "x") { Name = "f" }.Role);
    }

    [Fact]
    public void Message_UnknownRole_ThrowsWithTheKnownOnes()
    {
        foreach (string role in (string[])["robot", "User", "", "system "])
        {
            var error = Assert.Throws<ArgumentException>(() => new Message(role, "x"));
            Assert.All((string[])["system", "developer", "user", "assistant", "function", "tool"], known => Assert.Contains(known, error.Message, StringComparison.Ordinal));
        }

        Assert.Throws<ArgumentNullException>(() => new Message(null!, "x"));
        Assert.Throws<ArgumentException>(() => Message.User("x") with { Role = "robot" });
    }

    [Theory]
    [InlineData("""{"content":"hi","role":"user"}""")]
    [InlineData("""{"content":"hi","name":"n","role":"user"}""")]
    [InlineData("""{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"f"},"id":"c","type":"function"}]}""")]
    [InlineData("""{"content":null,"role":"assistant"}""")]
    [InlineData("""{"content":"x","role":"tool","tool_call_id":"c"}""")]
    [InlineData("""{"content":[{"type":"text","text":"a","cache_control":{"type":"e"}},{"type":"odd","x":1.0}],"role":"user","refusal":"r"}""")]
    [InlineData("""{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"x"}}]}""")]
    [InlineData("""{"function_call":{"arguments":"{}","name":"f"},"role":"assistant"}""")]
    public void Message_FromJson_KeepsEverything(string json)
    {
        Message read = Message.FromJson(json);
        using JsonDocument body = JsonDocument.Parse(new LlmRequest { Messages = [read] }.Body);

        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(json).RootElement, body.RootElement.GetProperty("messages")[0]), body.RootElement.GetRawText());
        Assert.Equal(Message.FromJson(json), read);
        Assert.Equal(Message.FromJson(json).GetHashCode(), read.GetHashCode());
    }

    [Fact]
    public void MessageContent_ToString_IsItsText()
    {
        MessageContent parts = [ContentPart.FromText("a"), ContentPart.FromImage([1], "image/png"), ContentPart.FromText("b")];

        Assert.Equal(("hi", "ab", 3), (Message.User("hi").Content!.ToString(), parts.ToString(), parts.Parts!.Count));
        Assert.Null(Message.User("hi").Content!.Parts);
        Assert.Equal("data:image/png;base64,AQ==", JsonDocument.Parse(new LlmRequest { Messages = [Message.User(parts)] }.Body).RootElement
            .GetProperty("messages")[0].GetProperty("content")[1].GetProperty("image_url").GetProperty("url").GetString());
        Assert.Throws<ArgumentNullException>(() => new MessageContent(null!));
    }

    [Fact]
    public void LlmRequest_HasTheDocumentedDefaults()
    {
        var request = new LlmRequest();

        Assert.Equal((0.7, 1.0, 0.0, 0.0), (request.Temperature, request.TopP, request.PresencePenalty, request.FrequencyPenalty));
        Assert.Equal((null, null, null, null, false, 0), (request.Model, request.Provider, request.MaxCompletionTokens, request.Stop, request.Stream, request.Sample));
        Assert.Equal(("/v1/chat/completions", null, null), (request.Endpoint, request.Input, request.AdditionalParameters));
        Assert.Empty(request.Messages);
    }

    public static TheoryData<string, Func<LlmRequest>, string, string> OutOfRange => new()
    {
        { "Temperature", () => new() { Temperature = 2.1 }, "2.1", "0 and 2" },
        { "Temperature", () => new() { Temperature = -0.1 }, "-0.1", "0 and 2" },
        { "Temperature", () => new() { Temperature = double.NaN }, "NaN", "0 and 2" },
        { "TopP", () => new() { TopP = 1.1 }, "1.1", "0 and 1" },
        { "PresencePenalty", () => new() { PresencePenalty = 2.5 }, "2.5", "-2 and 2" },
        { "FrequencyPenalty", () => new() { FrequencyPenalty = -2.5 }, "-2.5", "-2 and 2" },
        { "MaxCompletionTokens", () => new() { MaxCompletionTokens = 0 }, "0", "at least 1" },
        { "Sample", () => new() { Sample = -3 }, "-3", "non-negative" },
    };

    [Theory]
    [MemberData(nameof(OutOfRange), DisableDiscoveryEnumeration = true)]
    public void LlmRequest_OutOfRange_ThrowsWithNameValueAndRange(string field, Func<LlmRequest> make, string value, string range)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(make);

        Assert.Equal(field, error.ParamName);
        Assert.All((string[])[field, value, range], part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void LlmRequest_AtTheLimitsOfItsRanges_IsAccepted()
    {
        var low = new LlmRequest { Temperature = 0, TopP = 0, PresencePenalty = -2, FrequencyPenalty = -2, MaxCompletionTokens = 1 };
        var high = new LlmRequest { Temperature = 2, TopP = 1, PresencePenalty = 2, FrequencyPenalty = 2, MaxCompletionTokens = int.MaxValue };

        Assert.NotEqual(low, high);
    }

    [Fact]
    public async Task Provider_SerializesTextBytesAndTypesWithJsonTypeInfo()
    {
        var text = new Canned<string>("é\n", null);
        var bytes = new Canned<byte[]>([0, 255], null);
        var own = new Canned<Verdict>(new Verdict("spam", 0.1f), Json.Default.Verdict);

        Assert.Equal("é\n", await TwiceAsync(text));
        Assert.Equal([0, 255], await TwiceAsync(bytes));
        Assert.Equal(new Verdict("spam", 0.1f), await TwiceAsync(own));
    }

    [Fact]
    public async Task Provider_WithoutSerializer_IsRejectedWithACache()
    {
        var provider = new Canned<Verdict>(new Verdict("ham", 1), null);
        await using var cache = new InMemoryCache();

        var error = Assert.Throws<ArgumentException>(() => new RequestManager<Verdict>(provider, new RequestManagerOptions { Cache = cache }));
        Assert.Contains("JsonTypeInfo<Verdict>", error.Message, StringComparison.Ordinal);
        Assert.Throws<NotSupportedException>(() => provider.Write(new Verdict("x", 1)));
        Assert.Throws<NotSupportedException>(() => provider.Read(default));

        await using var manager = new RequestManager<Verdict>(provider);
        Assert.Equal("ham", (await manager.ProcessBatchAsync([LlmRequest.FromPrompt(null, "x")], Cancel))[0].Response.Label);
    }

    [Fact]
    public void ResponseWrapper_HasAPublicConstructor()
    {
        var good = new ResponseWrapper<string>("hi", "id", 3, new Usage { PromptTokens = 1 }) { IsCacheHit = true, Latency = TimeSpan.FromSeconds(1) };
        Assert.Equal(("hi", "id", 3L, true, 1L, true, 0), (good.Response, good.RequestId, good.OrderId, good.IsSuccess, good.Usage!.PromptTokens, good.IsCacheHit, good.Attempts));
        Assert.Null(good.Error);
        Assert.Empty(good.Embeddings);

        var failure = new LlmException(FailureKind.Timeout, "secret words");
        var bad = new ResponseWrapper<string>(failure, "id", 4) { Attempts = 3 };
        Assert.Same(failure, Assert.Throws<LlmException>(() => bad.Response));
        Assert.Equal((false, 3, false), (bad.IsSuccess, bad.Attempts, bad.IsEmbeddingResponse));
        Assert.Null(bad.Usage);
        Assert.Equal("#4 id: Timeout", bad.ToString());
        Assert.DoesNotContain("hi", good.ToString(), StringComparison.Ordinal);

        var embeddings = new ResponseWrapper<LlmResponse>(LlmResponse.FromBody("""{"data":[{"embedding":[1,2]}],"usage":{"prompt_tokens":7}}"""u8.ToArray()), "id", 0);
        Assert.True(embeddings.IsEmbeddingResponse);
        Assert.Equal([1f, 2f], Assert.Single(embeddings.Embeddings).ToArray());
        Assert.Equal(7, embeddings.Usage!.PromptTokens);
        Assert.Throws<ArgumentNullException>(() => new ResponseWrapper<string>("x", null!, 0));
        Assert.Throws<ArgumentNullException>(() => new ResponseWrapper<string>((LlmException)null!, "id", 0));
    }

    [Fact]
    public void TokenStats_ComputesRatesAndShares()
    {
        var stats = new TokenStats
        {
            RequestsCompleted = 10,
            CacheHits = 4,
            Sent = 6,
            PromptTokens = 100,
            CompletionTokens = 50,
            TotalTokens = 150,
            ElapsedTime = TimeSpan.FromSeconds(5),
            InFlight = 3,
            ConcurrencyLimit = 4,
            TokenLimit = 3600,
            RequestLimit = 144,
        };

        Assert.Equal((20.0, 10.0, 2.0, 0.4, 0.75, 0.5, 0.5), (stats.PromptTokensPerSecond, stats.CompletionTokensPerSecond, stats.RequestsPerSecond, stats.CacheHitRatio, stats.Saturation, stats.TokenSaturation, stats.RequestSaturation));
        var empty = new TokenStats();
        Assert.Equal((0.0, 0.0, 0.0, 0.0, 0.0), (empty.PromptTokensPerSecond, empty.CacheHitRatio, empty.Saturation, empty.TokenSaturation, empty.RequestSaturation));
    }

    [Fact]
    public void ProgressTracker_CountsAndReports()
    {
        var time = new ManualTimeProvider();
        var told = new Told();
        using (var tracker = new ProgressTracker(4, showProgress: false, told, time))
        {
            tracker.Update(10, 5);
            tracker.Update(10, 5, isCacheHit: true);
            Assert.Empty(told.Snapshots);
            time.Advance(TimeSpan.FromSeconds(2));
            tracker.UpdateFailed();
            Assert.Equal((3, 1L, 1L, 15L), (Assert.Single(told.Snapshots).RequestsCompleted, tracker.Stats.Failed, tracker.Stats.CacheHits, tracker.Stats.TotalTokens));
            Assert.Equal((4L, 5.0, TimeSpan.FromSeconds(2)), (tracker.Stats.RequestsTotal, tracker.Stats.PromptTokensPerSecond, tracker.Stats.ElapsedTime));
            Assert.Throws<ArgumentOutOfRangeException>(() => tracker.Update(-1, 0));
        }

        Assert.Equal(2, told.Snapshots.Count);
    }

    [Fact]
    public void ProgressTracker_UsedInParallel_GivesConsistentSnapshots()
    {
        using var tracker = new ProgressTracker(null, showProgress: false);
        var torn = 0;
        Parallel.For(0, 20_000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
        {
            tracker.Update(3, 4);
            TokenStats stats = tracker.Stats;
            if (stats.PromptTokens != stats.RequestsCompleted * 3 || stats.TotalTokens != stats.RequestsCompleted * 7)
            {
                Interlocked.Increment(ref torn);
            }
        });

        Assert.Equal((0, 20_000L), (torn, tracker.Stats.RequestsCompleted));
    }

    [Fact]
    public async Task FromEnvironment_ReadsKeyAddressAndOrganization()
    {
        string[] names = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID"];
        string?[] before = [.. names.Select(Environment.GetEnvironmentVariable)];
        try
        {
            Set("sk-env", "https://proxy.example/v1/", "org-1");
            OpenAIProvider provider = OpenAIProvider.FromEnvironment();
            Assert.Equal("https://proxy.example/v1 org-1", provider.CacheScope);
            Assert.Equal("Bearer sk-env", provider.GetRequestHeaders()["authorization"]);
            Assert.Equal("org-1", provider.GetRequestHeaders()["OpenAI-Organization"]);

            // Here, and not beside the other services: the environment belongs to the whole process, and one test at a time may change it.
            var services = new ServiceCollection();
            services.AddFastLLM().UseOpenAI();
            await using (ServiceProvider container = services.BuildServiceProvider())
            {
                var chat = (ChatClientMetadata)container.GetRequiredService<IChatClient>().GetService(typeof(ChatClientMetadata))!;
                Assert.Equal(new Uri("https://proxy.example/v1"), chat.ProviderUri);
            }

            Set("sk-env", null, " ");
            Assert.Equal("https://api.openai.com/v1", OpenAIProvider.FromEnvironment().CacheScope);

            Set(null, null, null);
            Assert.Contains("OPENAI_API_KEY", Assert.Throws<InvalidOperationException>(OpenAIProvider.FromEnvironment).Message, StringComparison.Ordinal);
        }
        finally
        {
            Set(before);
        }

        void Set(params string?[] values)
        {
            for (int i = 0; i < names.Length; i++)
            {
                Environment.SetEnvironmentVariable(names[i], values[i]);
            }
        }
    }

    private static async Task<T> TwiceAsync<T>(Canned<T> provider)
    {
        await using var cache = new InMemoryCache();
        await using var manager = new RequestManager<T>(provider, new RequestManagerOptions { Cache = cache });
        LlmRequest request = LlmRequest.FromPrompt(null, "x");
        Assert.False((await manager.ProcessBatchAsync([request], Cancel))[0].IsCacheHit);
        ResponseWrapper<T> second = (await manager.ProcessBatchAsync([request], Cancel))[0];

        Assert.Equal((true, 1), (second.IsCacheHit, provider.Sends));
        return second.Response;
    }

    internal sealed record Verdict(string Label, float Score);

    [JsonSerializable(typeof(Verdict))]
    internal sealed partial class Json : JsonSerializerContext;

    private sealed class Canned<T>(T answer, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T>? typeInfo) : Provider<T>("", "http://localhost", null, typeInfo)
    {
        public int Sends { get; private set; }

        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => Headers;

        public override Task<T> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
        {
            Sends++;
            return Task.FromResult(answer);
        }
    }

    private sealed class Told : IProgress<TokenStats>
    {
        public List<TokenStats> Snapshots { get; } = [];

        public void Report(TokenStats value) => Snapshots.Add(value);
    }
}
