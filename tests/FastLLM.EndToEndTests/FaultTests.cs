using FastLLM.TestKit;
using FastLLM.TestKit.Faults;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>Every fault of the table, on raw sockets. The same cases as a file of figures: <c>bench/faults.sh --csv FILE</c>.</summary>
public sealed class FaultTests
{
    public static TheoryData<string> Names
    {
        get
        {
            var names = new TheoryData<string>();
            foreach (FaultCase fault in AllWithoutServers())
            {
                names.Add(fault.ToString());
            }

            return names;
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Fault_MatchesTheTable_AndLosesNothing(string name)
    {
        await using var bystander = FaultServer.Start(Fault.Respond(200, FaultCases.GoodAnswer));
        FaultCase fault = Assert.Single(FaultCases.All(bystander), fault => fault.ToString() == name);

        FaultFigures figures = await FaultRun.RunAsync(fault, TestContext.Current.CancellationToken);

        Assert.Empty(figures.Faults);
    }

    [Fact]
    public async Task ServerNotYetUp_IsRetried_UntilItIs()
    {
        CancellationToken ended = TestContext.Current.CancellationToken;
        await using var server = FaultServer.Refuse(Fault.Respond(200, FaultCases.GoodAnswer));
        var log = new LogSignals();
        var options = new RequestManagerOptions { Concurrency = 20, RetryAttempts = 1, RetryDelay = TimeSpan.Zero, ShowProgress = false, Logger = log };
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), options);
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync(Enumerable.Range(0, 100).Select(i => LlmRequest.FromPrompt("fault", $"question {i}", "m")), ended);
        await log.WaitForAsync("ProviderDown", ended);

        server.Listen();
        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await batch;

        Assert.All(outcomes, outcome => Assert.True(outcome.IsSuccess));
        Assert.Equal(100, server.Requests.Count);
    }

    private static IReadOnlyList<FaultCase> AllWithoutServers()
    {
        FaultServer bystander = FaultServer.Start(Fault.Respond(200, ""));
        try
        {
            return FaultCases.All(bystander);
        }
        finally
        {
            bystander.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }
}
