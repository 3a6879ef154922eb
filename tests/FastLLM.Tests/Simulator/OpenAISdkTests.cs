using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json;
using FastLLM.Simulator;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;
using OpenAI.Models;
using OpenAI.Responses;
using Xunit;

#pragma warning disable OPENAI001 // the client of responses is for evaluation

namespace FastLLM.Tests.Simulators;

/// <summary>OpenAI's own .NET library against the simulator. Its JavaScript library and Vercel's: tests/sdks.</summary>
public sealed class OpenAISdkTests : IAsyncLifetime
{
    private const string Schema = """{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":7}},"required":["city","days"],"additionalProperties":false}""";

    private SimulatorServer _simulator = null!;
    private OpenAIClient _client = null!;

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    private ChatClient Chat => _client.GetChatClient("m");

    public async ValueTask InitializeAsync()
    {
        _simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _client = ClientOf(_simulator);
    }

    public async ValueTask DisposeAsync() => await _simulator.DisposeAsync();

    [Fact]
    public async Task Chat_WholeAndStreamed()
    {
        OpenAI.Chat.ChatCompletion whole = await Chat.CompleteChatAsync([new UserChatMessage("Hello!")], cancellationToken: Ended);
        List<StreamingChatCompletionUpdate> updates = [];
        await foreach (StreamingChatCompletionUpdate update in Chat.CompleteChatStreamingAsync([new UserChatMessage("Hello!")], cancellationToken: Ended))
        {
            updates.Add(update);
        }

        Assert.EndsWith(": Hello!", whole.Content[0].Text, StringComparison.Ordinal);
        Assert.Equal((ChatFinishReason.Stop, "m"), (whole.FinishReason, whole.Model));
        Assert.EndsWith(": Hello!", string.Concat(updates.SelectMany(update => update.ContentUpdate).Select(part => part.Text)), StringComparison.Ordinal);
        Assert.Equal(whole.Usage.TotalTokenCount, updates.Single(update => update.Usage is not null).Usage.TotalTokenCount);
    }

    [Theory]
    [InlineData("Hello!", true)]
    [InlineData("Please call get_weather.", false)]
    public async Task Tools_ArgumentsFitTheSchema(string prompt, bool isRequired)
    {
        var options = new ChatCompletionOptions { Tools = { ChatTool.CreateFunctionTool("get_weather", "Weather", BinaryData.FromString(Schema)) } };
        options.ToolChoice = isRequired ? ChatToolChoice.CreateRequiredChoice() : ChatToolChoice.CreateAutoChoice();
        List<ChatMessage> messages = [new UserChatMessage(prompt)];

        OpenAI.Chat.ChatCompletion called = await Chat.CompleteChatAsync(messages, options, Ended);
        ChatToolCall call = Assert.Single(called.ToolCalls);
        messages.AddRange([new AssistantChatMessage(called), new ToolChatMessage(call.Id, "sunny")]);
        options.ToolChoice = ChatToolChoice.CreateAutoChoice();
        OpenAI.Chat.ChatCompletion answered = await Chat.CompleteChatAsync(messages, options, Ended);

        Assert.Equal((ChatFinishReason.ToolCalls, "get_weather"), (called.FinishReason, call.FunctionName));
        AssertFits(call.FunctionArguments.ToString());
        Assert.EndsWith(prompt, answered.Content[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task StructuredOutput_FitsTheSchema_AndIsTheSameEachTime()
    {
        var options = new ChatCompletionOptions { ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("place", BinaryData.FromString(Schema), jsonSchemaIsStrict: true) };
        string[] texts = [.. await Task.WhenAll(Enumerable.Range(0, 2).Select(async _ => (await Chat.CompleteChatAsync([new UserChatMessage("Hello!")], options, Ended)).Value.Content[0].Text))];
        OpenAI.Chat.ChatCompletion json = await Chat.CompleteChatAsync(
            [new UserChatMessage("Hello!")], new ChatCompletionOptions { ResponseFormat = ChatResponseFormat.CreateJsonObjectFormat() }, Ended);

        AssertFits(texts[0]);
        Assert.Equal(texts[0], texts[1]);
        Assert.EndsWith("Hello!", JsonDocument.Parse(json.Content[0].Text).RootElement.GetProperty("answer").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Responses_WholeStreamedAndTools()
    {
        ResponsesClient client = _client.GetResponsesClient();
        ResponseResult whole = await client.CreateResponseAsync("m", "Hello!", cancellationToken: Ended);
        string streamed = "";
        await foreach (StreamingResponseUpdate update in await client.CreateResponseStreamingAsync("m", "Hello!", cancellationToken: Ended))
        {
            streamed += update is StreamingResponseOutputTextDeltaUpdate delta ? delta.Delta : "";
        }

        var options = new CreateResponseOptions("m", [ResponseItem.CreateUserMessageItem("Hello!")])
        {
            Tools = { ResponseTool.CreateFunctionTool("get_weather", BinaryData.FromString(Schema), strictModeEnabled: true) },
            ToolChoice = ResponseToolChoice.CreateRequiredChoice(),
        };
        ResponseResult called = await client.CreateResponseAsync(options, Ended);

        Assert.EndsWith(": Hello!", whole.GetOutputText(), StringComparison.Ordinal);
        Assert.EndsWith(": Hello!", streamed, StringComparison.Ordinal);
        Assert.Equal(ResponseStatus.Completed, whole.Status);
        Assert.Equal(whole.Usage.TotalTokenCount, whole.Usage.InputTokenCount + whole.Usage.OutputTokenCount);
        AssertFits(Assert.IsType<FunctionCallResponseItem>(Assert.Single(called.OutputItems)).FunctionArguments.ToString());
    }

    [Fact]
    public async Task EmbeddingsAndModels()
    {
        OpenAIEmbeddingCollection vectors = await _client.GetEmbeddingClient("e").GenerateEmbeddingsAsync(["a", "b"], new EmbeddingGenerationOptions { Dimensions = 16 }, Ended);
        OpenAIModelCollection models = await _client.GetOpenAIModelClient().GetModelsAsync(Ended);
        OpenAIModel model = await _client.GetOpenAIModelClient().GetModelAsync("org/model", Ended);

        Assert.Equal(SimulatorAnswers.Embedding("b", 16), vectors[1].ToFloats().ToArray());
        Assert.Equal(["simulator-chat", "simulator-embedding"], models.Select(known => known.Id));
        Assert.Equal(("org/model", "simulator"), (model.Id, model.OwnedBy));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(429)]
    [InlineData(503)]
    public async Task Errors_HaveStatusAndMessage(int status)
    {
        await using var failing = await SimulatorServer.StartAsync(new SimulatorOptions { ErrorRate = 1, ErrorStatus = status }, Ended);
        ClientResultException failure = await Assert.ThrowsAsync<ClientResultException>(
            () => ClientOf(failing).GetChatClient("m").CompleteChatAsync([new UserChatMessage("Hello!")], cancellationToken: Ended));

        Assert.Equal(status, failure.Status);
        Assert.Contains("Simulated", failure.Message, StringComparison.Ordinal);
    }

    private static OpenAIClient ClientOf(SimulatorServer server) => new(
        new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = server.BaseUrl, RetryPolicy = new ClientRetryPolicy(0) });

    private static void AssertFits(string json)
    {
        JsonElement place = JsonDocument.Parse(json).RootElement;
        Assert.Equal(["city", "days"], place.EnumerateObject().Select(member => member.Name));
        Assert.Equal(JsonValueKind.String, place.GetProperty("city").ValueKind);
        Assert.InRange(place.GetProperty("days").GetInt32(), 1, 7);
    }
}
