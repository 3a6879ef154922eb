using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using FastLLM.Checks;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Checks;

/// <summary>Answers as values of a .NET type: the schema goes with the request, and what comes back is read or named.</summary>
public sealed partial class TypedAnswerTests : EngineTest
{
    private const string Good = """{"mood":"Good","score":7,"topics":["price"],"note":null}""";

    [Fact]
    public async Task ProcessBatchAsync_ReadsValues_AndSendsTheSchema()
    {
        var provider = new ScriptedAnswers(_ => Good);
        await using var manager = new RequestManager(provider, Quick());

        IReadOnlyList<TypedAnswer<Review>> answers = await manager.ProcessBatchAsync(AskMany(2), Types.Default.Review, Ended);

        Assert.All(answers, answer => Assert.Equal((Mood.Good, 7, "price"), (answer.Value.Mood, answer.Value.Score, answer.Value.Topics.Single())));
        LlmRequest sent = provider.Requests.First();
        JsonElement format = sent.AdditionalParameters!["response_format"];
        Assert.Equal(("json_schema", "Review", true), (
            format.GetProperty("type").GetString(), format.GetProperty("json_schema").GetProperty("name").GetString(),
            format.GetProperty("json_schema").GetProperty("strict").GetBoolean()));
        Assert.Equal(
            """{"type":"object","properties":{"mood":{"enum":["Bad","Good"]},"score":{"type":"integer"},"topics":{"type":"array","items":{"type":"string"}}"""
                + ""","note":{"type":["string","null"]}},"required":["mood","score","topics","note"],"additionalProperties":false}""",
            format.GetProperty("json_schema").GetProperty("schema").GetRawText());
    }

    [Theory]
    [InlineData("```json\n" + Good + "\n```")]
    [InlineData(" \n" + Good + "\n")]
    public async Task GetAsync_CodeBlock_IsRead(string text)
    {
        var provider = new ScriptedAnswers(_ => text);
        await using var manager = new RequestManager(provider, Quick());

        Review review = await manager.GetAsync(Ask(1), Types.Default.Review, Ended);

        Assert.Equal((7, 1), (review.Score, provider.Sends));
    }

    [Theory]
    [InlineData("Sure! " + Good)]
    [InlineData("""{"mood":"Great","score":7,"topics":[]}""")]
    [InlineData("""{"mood":"Good","score":"seven","topics":[]}""")]
    [InlineData("""{"score":7}""")]
    [InlineData("null")]
    public async Task GetAsync_AnythingElse_IsCorrected(string text)
    {
        var provider = new ScriptedAnswers(last => last.StartsWith("Your", StringComparison.Ordinal) ? Good : text);
        await using var manager = new RequestManager(provider, Quick());

        TypedAnswer<Review> answer = (await manager.ProcessBatchAsync([Ask(1)], Types.Default.Review, Ended))[0];

        Assert.Equal((7, 2, true), (answer.Value.Score, answer.Outcome.Attempts, answer.Outcome.IsCorrected));
    }

    [Fact]
    public async Task ProcessBatchAsync_NeverValid_FailsWithBothAnswers()
    {
        var provider = new ScriptedAnswers(_ => "no");
        await using var manager = new RequestManager(provider, Quick());

        TypedAnswer<Review> answer = (await manager.ProcessBatchAsync([Ask(1)], Types.Default.Review, Ended))[0];

        Assert.Equal((false, FailureKind.InvalidAnswer, 2), (answer.IsSuccess, answer.Error!.Kind, answer.Error.Answers.Count));
        Assert.Same(answer.Error, Assert.Throws<LlmException>(() => answer.Value));
    }

    [Fact]
    public async Task EqualBatchesAtOnce_ShareSendsAndCorrections()
    {
        var sent = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        var provider = new ScriptedAnswers(async (request, _, _) =>
        {
            sent.TrySetResult();
            await release.Task;
            return request.Messages.Count > 1 ? Good : "no";
        });
        await using var manager = new RequestManager(provider, Quick(o => o.Cache = new InMemoryCache()));

        var first = manager.ProcessBatchAsync([Ask(1)], Types.Default.Review, Ended);
        await sent.Task;
        var second = manager.ProcessBatchAsync([Ask(1)], Types.Default.Review, Ended);
        release.SetResult();

        Assert.Equal((7, 7, 2), ((await first)[0].Value.Score, (await second)[0].Value.Score, provider.Sends));
    }

    [Fact]
    public async Task Reflection_ReadsTheSameWithoutAContext()
    {
        var provider = new ScriptedAnswers(_ => """{"mood":"Bad","score":1,"topics":[],"note":"n"}""");
        await using var manager = new RequestManager(provider, Quick());

        Review review = await manager.GetAsync<Review>(Ask(1), cancellationToken: Ended);

        Assert.Equal((Mood.Bad, "n"), (review.Mood, review.Note));
        Assert.Contains("\"score\":{\"type\":\"integer\"}", provider.Requests.Single().AdditionalParameters!["response_format"].GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ProcessAsync_Stream_ReadsValues()
    {
        var provider = new ScriptedAnswers(_ => Good);
        await using var manager = new RequestManager(provider, Quick());
        var scores = new List<int>();

        await foreach (TypedAnswer<Review> answer in manager.ProcessAsync(AskMany(20).ToAsyncEnumerable(), Types.Default.Review, Ended))
        {
            scores.Add(answer.Value.Score);
        }

        Assert.Equal(Enumerable.Repeat(7, 20), scores);
    }

    [Fact]
    public async Task RequestWithItsOwnFormat_KeepsIt()
    {
        var provider = new ScriptedAnswers(_ => Good);
        await using var manager = new RequestManager(provider, Quick());
        LlmRequest own = LlmRequest.FromJson("""{"model":"m","messages":[{"role":"user","content":"?"}],"response_format":{"type":"json_object"}}""");

        await manager.GetAsync(own, Types.Default.Review, Ended);

        Assert.Equal(own.Key, provider.Requests.Single().Key);
    }

    [Fact]
    public void Ask_FileRow_KeepsItsBytesAndAddsTheFormat()
    {
        LlmRequest row = LlmRequest.FromJson("""{"model":"m", "messages":[{"role":"user","content":"?"}],"top_p":1.0}""");

        LlmRequest typed = new TypedCheck<Review>(Types.Default.Review).Ask(row);

        using JsonDocument body = JsonDocument.Parse(typed.Body);
        Assert.Equal(["model", "messages", "top_p", "response_format"], body.RootElement.EnumerateObject().Select(member => member.Name));
        Assert.Equal("1.0", body.RootElement.GetProperty("top_p").GetRawText());
    }

    [Fact]
    public void Ask_Responses_CarriesTheFormatInText()
    {
        LlmRequest typed = new TypedCheck<Review>(Types.Default.Review).Ask(new LlmRequest
        {
            Endpoint = Endpoints.Responses, Model = "m", Input = "?",
        });

        Assert.Equal("json_schema", typed.AdditionalParameters!["text"].GetProperty("format").GetProperty("type").GetString());
        Assert.Equal("Review", typed.AdditionalParameters["text"].GetProperty("format").GetProperty("name").GetString());
    }

    [Theory]
    [InlineData(typeof(Review), true)]
    [InlineData(typeof(Tree), true)] // refers to itself
    [InlineData(typeof(Bag), false)] // a dictionary
    public void Of_Schema_IsStrictWhereTheTypeAllowsIt(Type type, bool isStrict)
    {
        (JsonNode schema, bool strict) = TypedSchema.Of(Types.Default.GetTypeInfo(type)!);

        Assert.Equal((isStrict, "object"), (strict, (string?)schema["type"]));
    }

    [Fact]
    public void Of_TypeWithoutMembers_IsRefused()
    {
        var fault = Assert.Throws<NotSupportedException>(() => new TypedCheck<string>(Types.Default.String));

        Assert.Contains("String has no members", fault.Message, StringComparison.Ordinal);
    }

    internal enum Mood
    {
        Bad,
        Good,
    }

    internal sealed record Review(Mood Mood, int Score, IReadOnlyList<string> Topics, string? Note);

    internal sealed record Tree(string Name, IReadOnlyList<Tree> Children);

    internal sealed record Bag(IReadOnlyDictionary<string, int> Counts);

    [JsonSourceGenerationOptions(
        PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true)]
    [JsonSerializable(typeof(Review))]
    [JsonSerializable(typeof(Tree))]
    [JsonSerializable(typeof(Bag))]
    [JsonSerializable(typeof(string))]
    internal sealed partial class Types : JsonSerializerContext;
}
