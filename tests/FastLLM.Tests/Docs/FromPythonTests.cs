using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

#pragma warning disable xUnit1051 // as on the page

namespace FastLLM.Tests.Docs;

/// <summary>Every line of C# in docs/from-python.md stands here, and runs.</summary>
public sealed partial class FromPythonTests
{
    [Fact]
    public void Page_EveryLineOfCSharp_StandsInThisFile()
    {
        string page = File.ReadAllText(Path.Combine(Vocabulary.Root, "docs", "from-python.md"));
        string source = File.ReadAllText(Path.Combine(Vocabulary.Root, "tests", "FastLLM.Tests", "Docs", "FromPythonTests.cs"));
        string[] lines =
        [
            .. page.Split("```csharp\n")[1].Split("```")[0].Split('\n', StringSplitOptions.RemoveEmptyEntries),
            .. Cell().Matches(page).Select(match => match.Groups["code"].Value),
        ];

        Assert.True(lines.Length > 35, $"{lines.Length} lines");
        Assert.All(lines, line => Assert.Contains(line, source, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Lines_Run()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: TestContext.Current.CancellationToken);
        await using var manager = new RequestManager(new OpenAIProvider("key", simulator.ApiBase));
        using var files = new TemporaryFolder();
        string folder = Path.Combine(files.Path, "cache");
        const string tool = """{"type":"function","function":{"name":"f"}}""";

        // Requests
        using var batch = new RequestBatch();
        batch.Chat.Completions.Create(model: "m", messages: [new Message(content: "Hello!")]);
        IReadOnlyList<ResponseWrapper<LlmResponse>> responses = await manager.ProcessBatchAsync(batch);
        batch.Chat.Completions.Create("m", ["Hello!"]);
        Message empty = new Message();
        Message fromDict = Message.FromDictionary(new Dictionary<string, object?> { ["role"] = "user", ["content"] = "Hi" });
        LlmRequest request = new() { Provider = "openai", Model = "m", Messages = ["Hello!"] };
        LlmRequest asked = LlmRequest.FromPrompt("openai", "Hi", "m") with { Temperature = 1 };
        LlmRequest raw = LlmRequest.FromDictionary(new Dictionary<string, object?> { ["model"] = "m", ["messages"] = (Message[])["Hi"] });
        LlmRequest anonymous = LlmRequest.FromObject(new { model = "m", messages = new[] { new { role = "user", content = "Hi" } } });
        RequestBatch bodies = RequestBatch.From([new { model = "m", messages = (Message[])["Hi"] }]);
        batch.Chat.Completions.Create("m", ["Hi"], extra: new Dictionary<string, object?> { ["top_k"] = 5 });
        batch.Chat.Completions.Create("m", ["Hi"], tools: [JsonNode.Parse(tool)], toolChoice: "auto");
        batch.Chat.Completions.Create("m", ["Hi"], responseFormat: JsonNode.Parse("""{"type":"json_object"}"""));
        batch.Chat.Completions.Create("m", ["Hi"], stop: "x");
        batch.Chat.Completions.Create("m", ["Hi"], logitBias: new Dictionary<string, double> { ["50256"] = -100 });
        batch.Chat.Completions.Create("m", ["Hi"], temperature: null);
        RequestBatch both = RequestBatch.Merge([batch, bodies]);
        string id = request.Key.ToString();

        Assert.True(responses[0].IsSuccess);
        Assert.Equal((empty with { Content = "Hi" }, raw.Key, raw.Key), (fromDict, anonymous.Key, bodies[0].Key));
        Assert.NotEqual(asked.Key, raw.Key);
        Assert.Equal((9, batch[0].Key.ToString()), (both.Count, id));

        // Sending
        var provider = new OpenAIProvider("key", "http://127.0.0.1/v1", organization: null, headers: null);
        var options = new RequestManagerOptions { Concurrency = 100, Timeout = TimeSpan.FromSeconds(30) };
        options.RetryAttempts = 3; options.RetryDelay = TimeSpan.FromSeconds(1); options.ShowProgress = true;
        options.Cache = new InMemoryCache();
        await using var own = new RequestManager(provider, options);
        IReadOnlyList<ResponseWrapper<LlmResponse>> all = manager.ProcessBatch(batch);
        ResponseWrapper<LlmResponse> one = await manager.SendAsync(request);
        Assert.All(all, outcome => Assert.True(outcome.IsSuccess));
        Assert.Equal("mine", await new My().MakeRequestAsync(null!, request, default, default));

        // Responses
        LlmResponse response = one.Response;
        var wrapper = new ResponseWrapper<LlmResponse>(response, "id", 0);
        string? text = (response as ChatCompletion)?.Text;
        string? reason = (response as ChatCompletion)?.FinishReason;
        JsonElement json = response.Json;
        long tokens = response.Usage!.TotalTokens;
        string requestId = one.RequestId;
        Assert.Equal((id, "id", "stop"), (requestId, wrapper.RequestId, reason));
        Assert.EndsWith("Hello!", text, StringComparison.Ordinal);
        Assert.Equal(tokens, json.GetProperty("usage").GetProperty("total_tokens").GetInt64());

        // Caches and progress
        CacheProvider disk = new DiskCache(folder, new DiskCacheOptions { Ttl = TimeSpan.FromHours(1) });
        await disk.PutAsync(request.Key, new CacheEntry(response.RawBody, "scope", 200, DateTimeOffset.UtcNow));
        bool exists = await disk.ExistsAsync(id);
        CacheEntry? entry = await disk.GetAsync(id);
        Assert.True(exists && entry is not null);
        await disk.ClearAsync(); await disk.CloseAsync();
        DateTimeOffset started = manager.Stats.StartTime;
        using var tracker = new ProgressTracker(10, showProgress: false);
        Assert.True(tracker.Stats.StartTime >= started);
    }

    internal sealed class My() : Provider<string>("key", "http://127.0.0.1/v1")
    {
        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => Headers;

        public override Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default) => Task.FromResult("mine");
    }

    // The second cell of a row.
    [GeneratedRegex("(?m)^\\| [^|]* ?\\| `(?<code>[^`]+(?:`[^`]+)*?)` \\| ")]
    private static partial Regex Cell();
}
