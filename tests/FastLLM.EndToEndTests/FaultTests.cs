using FastLLM.Diagnostics;
using FastLLM.TestKit;
using FastLLM.TestKit.Faults;
using Microsoft.Extensions.Logging;
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
    public async Task AFault_IsWhatTheTableSays_AndLosesNothing(string name)
    {
        await using var bystander = FaultServer.Start(Fault.Respond(200, FaultCases.GoodAnswer));
        FaultCase fault = Assert.Single(FaultCases.All(bystander), fault => fault.ToString() == name);

        FaultFigures figures = await FaultRun.RunAsync(fault, TestContext.Current.CancellationToken);

        Assert.Empty(figures.Faults);
    }

    [Fact]
    public async Task AServerThatIsNotThere_IsAskedUntilItIs_AndNothingFails()
    {
        CancellationToken ended = TestContext.Current.CancellationToken;
        int port;
        await using (var gone = FaultServer.Start(Fault.Respond(200, "")))
        {
            port = gone.Port;
        }

        var down = new TaskCompletionSource();
        var options = new RequestManagerOptions { Concurrency = 20, RetryAttempts = 1, RetryDelay = TimeSpan.Zero, ShowProgress = false, Logger = new Listener("ProviderDown", down) };
        await using var manager = new RequestManager(new OpenAIProvider("", $"http://127.0.0.1:{port}/v1"), options);
        Task<IReadOnlyList<ResponseWrapper<LlmResponse>>> batch = manager.ProcessBatchAsync(Enumerable.Range(0, 100).Select(i => LlmRequest.FromPrompt("fault", $"question {i}", "m")), ended);
        await down.Task.WaitAsync(ended);

        await using var server = FaultServer.Start(Fault.Respond(200, FaultCases.GoodAnswer), port);
        IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await batch;

        Assert.All(outcomes, outcome => Assert.True(outcome.IsSuccess));
        Assert.Equal(100, server.Requests.Count);
    }

    private sealed class Listener(string eventName, TaskCompletionSource heard) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Name == eventName)
            {
                heard.TrySetResult();
            }
        }
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
