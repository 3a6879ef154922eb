using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json.Nodes;
using FastLLM.TestKit;
using Microsoft.Extensions.AI;
using OpenAI;
using Xunit;

namespace FastLLM.Tests.ExtensionsAI.SideBySide;

/// <summary>Microsoft's embedding generator and this library's on one recording server.</summary>
public sealed class EmbeddingTests
{
    private const string Two = """{"object":"list","model":"e-1","data":[{"object":"embedding","index":0,"embedding":[1,2]},{"object":"embedding","index":1,"embedding":[-0.5,0.25]}],"usage":{"prompt_tokens":4,"total_tokens":5}}""";

    private static readonly Dictionary<string, EmbeddingGenerationOptions?> s_cases = new()
    {
        ["none"] = null,
        ["dimensions and model"] = new() { Dimensions = 2, ModelId = "e2" },
        ["raw options"] = new() { Dimensions = 5, RawRepresentationFactory = generator => generator is FastLLMEmbeddingGenerator ? new JsonObject { ["dimensions"] = 2, ["user"] = "u" } : new OpenAI.Embeddings.EmbeddingGenerationOptions { Dimensions = 2, EndUserId = "u" } },
    };

    public static TheoryData<string> Cases => [.. s_cases.Keys];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task RequestAndAnswer_MeanTheSame(string name)
    {
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, Two, ("Content-Type", "application/json")));
        await using var manager = new RequestManager(new OpenAIProvider("k", server.ApiBase), new RequestManagerOptions { ShowProgress = false });
        using var ours = new FastLLMEmbeddingGenerator(manager, "e");
        using IEmbeddingGenerator<string, Embedding<float>> theirs = TheirsOn(server);

        GeneratedEmbeddings<Embedding<float>> first = await theirs.GenerateAsync(["a", "ü\""], s_cases[name], Cancel);
        GeneratedEmbeddings<Embedding<float>> second = await ours.GenerateAsync(["a", "ü\""], s_cases[name], Cancel);

        JsonNode[] bodies = [.. server.Requests.Select(request => JsonNode.Parse(request.Body.Span)!)];
        Assert.Equal("base64", (string)bodies[0]["encoding_format"]!);
        bodies[0].AsObject().Remove("encoding_format");
        Assert.Equal(Meaning.Of(bodies[0]), Meaning.Of(bodies[1]));
        Assert.Equal(first.Select(vector => (vector.ModelId, string.Join(' ', vector.Vector.ToArray()))), second.Select(vector => (vector.ModelId, string.Join(' ', vector.Vector.ToArray()))));
        Assert.Equal((first.Usage!.InputTokenCount, first.Usage.TotalTokenCount), (second.Usage!.InputTokenCount, second.Usage.TotalTokenCount));
    }

    [Fact]
    public async Task VectorsInAnotherOrder_AreThoseOfTheirTexts()
    {
        const string turned = """{"object":"list","model":"e","data":[{"object":"embedding","index":1,"embedding":[2]},{"object":"embedding","index":0,"embedding":[1]}],"usage":{"prompt_tokens":1,"total_tokens":1}}""";
        await using FaultServer server = FaultServer.Start(Fault.Respond(200, turned, ("Content-Type", "application/json")));
        await using var manager = new RequestManager(new OpenAIProvider("k", server.ApiBase), new RequestManagerOptions { ShowProgress = false });
        using var ours = new FastLLMEmbeddingGenerator(manager, "e");
        using IEmbeddingGenerator<string, Embedding<float>> theirs = TheirsOn(server);

        Assert.Equal(2, (await theirs.GenerateAsync(["a", "b"], cancellationToken: Cancel))[0].Vector.Span[0]);
        Assert.Equal(1, (await ours.GenerateAsync(["a", "b"], cancellationToken: Cancel))[0].Vector.Span[0]);
    }

    [Fact]
    public async Task RawOptions_OfAnotherType_AreRefusedByName()
    {
        await using var manager = new RequestManager(new BodyProvider(_ => Two), new RequestManagerOptions { ShowProgress = false });
        using var ours = new FastLLMEmbeddingGenerator(manager, "e");

        NotSupportedException refused = await Assert.ThrowsAsync<NotSupportedException>(
            () => ours.GenerateAsync(["a"], new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new Version(1, 2) }, Cancel));
        NotSupportedException unwritable = await Assert.ThrowsAsync<NotSupportedException>(
            () => ours.GenerateAsync(["a"], new EmbeddingGenerationOptions { RawRepresentationFactory = _ => new OpenAI.Embeddings.EmbeddingGenerationOptions() }, Cancel));
        Assert.Contains("Version", refused.Message, StringComparison.Ordinal);
        Assert.Contains("EmbeddingGenerationOptions", unwritable.Message, StringComparison.Ordinal);
    }

    private static IEmbeddingGenerator<string, Embedding<float>> TheirsOn(FaultServer server) =>
        new OpenAIClient(new ApiKeyCredential("k"), new OpenAIClientOptions { Endpoint = server.BaseUrl, RetryPolicy = new ClientRetryPolicy(0) })
            .GetEmbeddingClient("e").AsIEmbeddingGenerator();
}
