using Microsoft.Extensions.AI;
using Xunit;

namespace FastLLM.Tests.ExtensionsAI;

public sealed class EmbeddingGeneratorTests
{
    private const string Two = """{"object":"list","data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}],"model":"e-1","usage":{"prompt_tokens":4,"total_tokens":4}}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GenerateAsync_IsTheRequestOfCreate()
    {
        var provider = new BodyProvider(_ => Two);
        await using var manager = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false });
        using var generator = new FastLLMEmbeddingGenerator(manager, "e");

        GeneratedEmbeddings<Embedding<float>> vectors = await generator.GenerateAsync(["a", "b"], new() { Dimensions = 2, AdditionalProperties = new() { ["user"] = "u" } }, Cancel);

        var batch = new RequestBatch();
        batch.Embeddings.Create("e", ["a", "b"], dimensions: 2, user: "u");
        Assert.Equal(batch[0], provider.Requests.Single());
        Assert.Equal([1f, 2f], vectors[0].Vector.ToArray());
        Assert.Equal([3f, 4f], vectors[1].Vector.ToArray());
        Assert.Equal(("e-1", 4), (vectors[0].ModelId, vectors.Usage!.InputTokenCount));
    }

    [Fact]
    public async Task GenerateAsync_TextsOfEarlierCalls_ComeFromTheCache()
    {
        var provider = new BodyProvider(Vectors);
        await using var cache = new InMemoryCache();
        await using var manager = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false, Cache = cache });
        using var generator = new FastLLMEmbeddingGenerator(manager, "e");

        await generator.GenerateAsync(["a", "bb"], cancellationToken: Cancel);
        GeneratedEmbeddings<Embedding<float>> some = await generator.GenerateAsync(["ccc", "bb", "ccc"], cancellationToken: Cancel);
        GeneratedEmbeddings<Embedding<float>> all = await generator.GenerateAsync(["ccc", "a"], cancellationToken: Cancel);

        Assert.Equal([["a", "bb"], ["ccc"]], provider.Requests.Select(request => request.Input!.ToArray()));
        Assert.Equal([3f, 2f, 3f], some.Select(vector => vector.Vector.Span[0]));
        Assert.Equal([3f, 1f], all.Select(vector => vector.Vector.Span[0]));
        Assert.Equal((1, false), (some.Usage!.InputTokenCount, some.AdditionalProperties![FastLLMProperties.Cached]));
        Assert.Null(all.Usage);
        Assert.Equal((true, 0), (all.AdditionalProperties![FastLLMProperties.Cached], all.AdditionalProperties[FastLLMProperties.Sends]));
    }

    [Fact]
    public async Task GenerateAsync_TextsInFlight_AreSentOnce()
    {
        var first = new TaskCompletionSource();
        var provider = new HeldProvider(request => request.Input!.Contains("a") ? first.Task : Task.CompletedTask, Vectors);
        await using var manager = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false });
        using var generator = new FastLLMEmbeddingGenerator(manager, "e");

        Task<GeneratedEmbeddings<Embedding<float>>> one = generator.GenerateAsync(["a", "bb"], cancellationToken: Cancel);
        Task<GeneratedEmbeddings<Embedding<float>>> two = generator.GenerateAsync(["bb", "ccc"], cancellationToken: Cancel);
        Task<GeneratedEmbeddings<Embedding<float>>> three = generator.GenerateAsync(["bb"], cancellationToken: Cancel);
        first.SetResult();

        Assert.Equal([1f, 2f], (await one).Select(vector => vector.Vector.Span[0]));
        Assert.Equal([2f, 3f], (await two).Select(vector => vector.Vector.Span[0]));
        Assert.Equal([2f], (await three).Select(vector => vector.Vector.Span[0]));
        Assert.Null((await three).Usage);
        Assert.Equal(true, (await three).AdditionalProperties![FastLLMProperties.Shared]);
        Assert.Equal(2, provider.Sends);
    }

    [Fact]
    public async Task GenerateAsync_OtherCallFails_SendsItsTextsItself()
    {
        var first = new TaskCompletionSource();
        var provider = new HeldProvider(request => request.Input!.Contains("a") ? first.Task : Task.CompletedTask, Vectors);
        await using var manager = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false });
        using var generator = new FastLLMEmbeddingGenerator(manager, "e");

        Task<GeneratedEmbeddings<Embedding<float>>> one = generator.GenerateAsync(["a", "bb"], cancellationToken: Cancel);
        Task<GeneratedEmbeddings<Embedding<float>>> two = generator.GenerateAsync(["bb"], cancellationToken: Cancel);
        first.SetException(new LlmException(FailureKind.InvalidRequest, "no"));

        Assert.Equal(FailureKind.InvalidRequest, (await Assert.ThrowsAsync<LlmException>(() => one)).Kind);
        Assert.Equal([2f], (await two).Select(vector => vector.Vector.Span[0]));
    }

    [Fact]
    public async Task GenerateAsync_NoTexts_SendsNothing()
    {
        var provider = new BodyProvider(_ => Two);
        await using var manager = new RequestManager(provider, new RequestManagerOptions { ShowProgress = false });
        using var generator = new FastLLMEmbeddingGenerator(manager);

        Assert.Empty(await generator.GenerateAsync([], cancellationToken: Cancel));
        Assert.Empty(provider.Requests);
        Assert.Equal(FailureKind.InvalidResponse, (await Assert.ThrowsAsync<LlmException>(() => generator.GenerateAsync(["a"], cancellationToken: Cancel))).Kind);
        Assert.Null(provider.Requests.Single().Model);
        Assert.Same(generator, generator.GetService(typeof(FastLLMEmbeddingGenerator)));
        Assert.IsType<EmbeddingGeneratorMetadata>(generator.GetService(typeof(EmbeddingGeneratorMetadata)));
    }

    // The vector of a text is its length.
    private static string Vectors(LlmRequest request)
    {
        IEnumerable<string> data = request.Input!.Select((text, index) => $$"""{"index":{{index}},"embedding":[{{text.Length}}]}""");
        return $$$"""{"data":[{{{string.Join(',', data)}}}],"model":"e-1","usage":{"prompt_tokens":{{{request.Input!.Count}}},"total_tokens":{{{request.Input.Count}}}}}""";
    }
}
