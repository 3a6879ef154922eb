using FastLLM.Simulator;
using Microsoft.Extensions.AI;
using Xunit;

#pragma warning disable xUnit1051 // as on the page

namespace FastLLM.Tests.Docs;

/// <summary>All code of docs/testing-your-code.md stands here, and runs.</summary>
public sealed class TestingYourCodeTests
{
    [Fact]
    public void Page_AllCode_StandsInThisFile()
    {
        string page = File.ReadAllText(Path.Combine(Vocabulary.Root, "docs", "testing-your-code.md"));
        string source = Trimmed(File.ReadAllText(Path.Combine(Vocabulary.Root, "tests", "FastLLM.Tests", "Docs", "TestingYourCodeTests.cs")));
        string[] blocks = [.. page.Split("```csharp\n").Skip(1).Select(text => Trimmed(text.Split("```")[0]))];

        Assert.Equal(7, blocks.Length);
        Assert.All(blocks, block => Assert.Contains(block, source, StringComparison.Ordinal));

        static string Trimmed(string code) => string.Join('\n', code.Split('\n').Select(line => line.Trim()));
    }

    [Fact]
    public async Task StartAndWhatWasSent()
    {
        await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { RecordRequests = true });
        await using var manager = new RequestManager(new OpenAIProvider("test-key", simulator.ApiBase), new RequestManagerOptions { ShowProgress = false });
        var summarizer = new Summarizer(new FastLLMChatClient(manager, "my-model"));

        string summary = await summarizer.SummarizeAsync("A long text.");

        Assert.EndsWith(": A long text.", summary);

        Assert.Equal(1, simulator.Stats.Sends);
        SimulatorRequest sent = simulator.Requests.Single();
        Assert.Equal("/v1/chat/completions", sent.Path);
        Assert.Equal("Bearer test-key", sent.Headers["Authorization"]);
        Assert.Equal("Summarize.", sent.ReadJson().GetProperty("messages")[0].GetProperty("content").GetString());
        Assert.Equal(SimulatorAnswers.ChatText(sent.Body.Span), summary);

        simulator.ResetStats();
        string[] summaries = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => summarizer.SummarizeAsync("The same text.")));
        Assert.Single(summaries.Distinct());
        Assert.InRange(simulator.Stats.Sends, 1, 20);
    }

    [Fact]
    public async Task Faults()
    {
        await using var flaky = await SimulatorServer.StartAsync(new SimulatorOptions { FailFirst = 2, ErrorStatus = 503 });
        await using var patient = new RequestManager(new OpenAIProvider("", flaky.ApiBase), new RequestManagerOptions { ShowProgress = false, RetryDelay = TimeSpan.Zero });
        string afterRetries = await new Summarizer(new FastLLMChatClient(patient, "m")).SummarizeAsync("A text.");
        Assert.Equal((2, 1), (flaky.Stats.Count("/v1/chat/completions", 503), flaky.Stats.Count("/v1/chat/completions", 200)));

        await using var broken = await SimulatorServer.StartAsync(new SimulatorOptions { ErrorRate = 1, ErrorStatus = 401 });
        await using var refused = new RequestManager(new OpenAIProvider("", broken.ApiBase), new RequestManagerOptions { ShowProgress = false });
        LlmException failure = await Assert.ThrowsAsync<LlmException>(() => new Summarizer(new FastLLMChatClient(refused, "m")).SummarizeAsync("A text."));
        Assert.Equal(401, failure.StatusCode);
        Assert.EndsWith("A text.", afterRetries, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Limits()
    {
        await using var strict = await SimulatorServer.StartAsync(new SimulatorOptions { ThrottleLaws = [ThrottleLaw.Concurrency(2)] });
        await using var bounded = new RequestManager(new OpenAIProvider("", strict.ApiBase), new RequestManagerOptions { ShowProgress = false, Concurrency = 2 });
        var bound = new Summarizer(new FastLLMChatClient(bounded, "m"));
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => bound.SummarizeAsync($"Text {i}.")));
        Assert.Equal((0, 50), (strict.Stats.Rejected, strict.Stats.Sends));
        Assert.True(strict.Stats.PeakInFlight <= 2);
    }

    [Fact]
    public async Task Time()
    {
        await using var stalled = await SimulatorServer.StartAsync(new SimulatorOptions { StallRate = 1 });
        await using var waiting = new RequestManager(new OpenAIProvider("", stalled.ApiBase), new RequestManagerOptions { ShowProgress = false });
        using var leave = new CancellationTokenSource();
        Task<string> call = new Summarizer(new FastLLMChatClient(waiting, "m")).SummarizeAsync("A text.", leave.Token);
        await stalled.UntilAsync(stats => stats.InFlight == 1);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await stalled.UntilAsync(stats => stats.InFlight == 0);
    }

    internal sealed class Summarizer(IChatClient client)
    {
        public async Task<string> SummarizeAsync(string text, CancellationToken cancellationToken = default)
        {
            ChatResponse response = await client.GetResponseAsync([new(ChatRole.System, "Summarize."), new(ChatRole.User, text)], cancellationToken: cancellationToken);
            return response.Text;
        }
    }
}
