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
}
