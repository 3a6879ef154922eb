using System.Collections.Concurrent;
using FastLLM.Costs;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>A budget is never passed, whatever comes back; what is spent is told to the last digit, and stands in the rows.</summary>
public sealed class BudgetTests : EngineTest
{
    private const decimal InputPrice = 0.00000015m;
    private const decimal OutputPrice = 0.0000006m;

    private static readonly PriceTable s_prices = PriceTable.Create(new Dictionary<string, ModelPrice>
    {
        ["m"] = new() { Input = InputPrice, Output = OutputPrice },
        ["limited"] = new() { Input = InputPrice, Output = OutputPrice, MaxOutputTokens = 40 },
        ["free"] = new() { Input = 0, Output = 0, MaxOutputTokens = 10 },
    });

    [Theory]
    [InlineData(1, 4)]
    [InlineData(2, 1)]
    [InlineData(3, 16)]
    [InlineData(4, 64)]
    [InlineData(5, 7)]
    [InlineData(6, 30)]
    public async Task RandomUsageAndFailures_NeverPassTheBudget_AndAHigherOneFinishes(int seed, int concurrency)
    {
        var random = new Random(seed);
        LlmRequest[] batch = [.. Enumerable.Range(0, 140).Select(i => Limited(i, 1 + random.Next(200)))];
        batch = [.. batch, .. batch.Take(10)];
        var bills = new Bills(seed, Time);
        var cache = new InMemoryCache();
        decimal budget = 0.0005m * (1 + random.Next(6));
        decimal told = 0;
        var rounds = 0;
        while (true)
        {
            await using var manager = new RequestManager<string>(bills, OnManualClock(o =>
            {
                (o.Concurrency, o.Cache, o.Prices, o.Budget, o.RetryAttempts) = (concurrency, cache, s_prices, budget - bills.Billed, 20);
                o.Timeout = TimeSpan.FromSeconds(5);
            }));
            IReadOnlyList<ResponseWrapper> responses;
            LlmRunException? stopped = null;
            try
            {
                responses = [.. await RunClockAsync(manager.ProcessBatchAsync(batch, Ended))];
            }
            catch (LlmRunException e)
            {
                (stopped, responses) = (e, e.Responses);
            }

            // Sends of unknown outcome stay charged in full: what is told is never less than what was billed.
            Assert.True(bills.Billed <= budget, $"{bills.Billed} of {budget}");
            Assert.True(manager.Stats.Cost <= budget - told && manager.Stats.Cost >= bills.Billed - told, $"{manager.Stats.Cost} of {budget - told}");
            Assert.Equal(manager.Stats.Cost, responses.Sum(response => response.Cost ?? throw new InvalidOperationException($"{response}: no cost")));
            Assert.Equal(0, manager.Stats.Unpriced);
            told = bills.Billed;
            if (stopped is null)
            {
                Assert.All(responses, response => Assert.True(response.IsSuccess));
                break;
            }

            Assert.Equal(FailureKind.BudgetExhausted, stopped.Kind);
            Assert.Contains("budget", stopped.Message, StringComparison.Ordinal);
            budget += 0.002m;
            Assert.True(++rounds < 100);
        }

        Assert.Equal(batch.Distinct().Count(), bills.Answered.Count);
    }

    [Fact]
    public async Task ARequestWaitsForThoseInFlightThatMayTurnOutCheaper_RatherThanEndTheRun()
    {
        // Each may cost over half of the budget, and costs a hundredth of it.
        var provider = new Priced(async (_, token) =>
        {
            await Task.Delay(TimeSpan.FromSeconds(1), Time, token);
            return new Usage { PromptTokens = 1, CompletionTokens = 1 };
        });
        decimal most = Most(Limited(0, 1_000));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => (o.Prices, o.Budget, o.Concurrency, o.Timeout) = (s_prices, most * 1.9m, 8, Timeout.InfiniteTimeSpan)));

        IReadOnlyList<ResponseWrapper<string>> responses = await RunClockAsync(manager.ProcessBatchAsync(Enumerable.Range(0, 8).Select(i => Limited(i, 1_000)), Ended));

        Assert.All(responses, response => Assert.Equal(InputPrice + OutputPrice, response.Cost));
        Assert.Equal(1, provider.Peak);
        Assert.Equal(8 * (InputPrice + OutputPrice), manager.Stats.Cost);
    }

    [Fact]
    public async Task SharedRowsAndCacheHitsCostNothing_AndAreNotSetAsideFor()
    {
        var cache = new InMemoryCache();
        var provider = new Priced((_, _) => Task.FromResult(new Usage { PromptTokens = 10, CompletionTokens = 10 }));
        await using (var first = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Cache) = (s_prices, cache))))
        {
            IReadOnlyList<ResponseWrapper<string>> responses = await first.ProcessBatchAsync([Limited(0, 10), Limited(0, 10)], Ended);
            Assert.Equal([0m, (10 * InputPrice) + (10 * OutputPrice)], responses.Select(response => response.Cost!.Value).Order());
        }

        await using var second = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Cache, o.Budget) = (s_prices, cache, 0)));
        Assert.Equal(0m, Assert.Single(await second.ProcessBatchAsync([Limited(0, 10)], Ended)).Cost);
        Assert.Equal(0, second.Stats.Cost);
    }

    [Theory]
    [InlineData(429, true)]
    [InlineData(400, true)]
    [InlineData(500, true)]
    [InlineData(504, false)]
    [InlineData(408, false)]
    [InlineData(499, false)]
    [InlineData(520, false)]
    [InlineData(522, false)]
    [InlineData(521, true)]
    public async Task ARefusalCostsNothing_AndWhatNobodyKnowsStaysCharged(int status, bool isFree)
    {
        LlmRequest request = Limited(0, 100);
        var provider = new Priced((_, _) => throw LlmException.From(new HttpResponseMessage((System.Net.HttpStatusCode)status), "{}"));
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Budget, o.RetryAttempts, o.MaxThrottleWait) = (s_prices, 1, 1, TimeSpan.Zero)));

        ResponseWrapper<string> response = Assert.Single(await manager.ProcessBatchAsync([request], Ended));

        Assert.False(response.IsSuccess);
        Assert.Equal(isFree ? 0 : Most(request), response.Cost);
        Assert.Equal(isFree ? 0 : Most(request), manager.Stats.Cost);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ARefusalThatStatesItsTokens_IsChargedThem(bool hasBudget)
    {
        const string body = """{"error":{"code":"content_filter"},"usage":{"prompt_tokens":10,"completion_tokens":20}}""";
        var provider = new Priced((_, _) => throw LlmException.From(new HttpResponseMessage(System.Net.HttpStatusCode.BadRequest), body));
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Budget, o.Concurrency) = (s_prices, hasBudget ? 1 : null, 1)));

        ResponseWrapper<string> response = Assert.Single(await manager.ProcessBatchAsync([Limited(0, 100)], Ended));

        Assert.Equal((10 * InputPrice) + (20 * OutputPrice), response.Cost);
        Assert.Equal(response.Cost, manager.Stats.Cost);
    }

    [Fact]
    public async Task AnAnswerWithoutUsageStaysCharged_AndWithoutABudgetItsPriceIsUnknown()
    {
        var provider = new Priced((_, _) => Task.FromResult<Usage>(null!));
        await using (var manager = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Budget) = (s_prices, 1))))
        {
            Assert.Equal(Most(Limited(0, 100)), Assert.Single(await manager.ProcessBatchAsync([Limited(0, 100)], Ended)).Cost);
        }

        await using var unlimited = new RequestManager<string>(provider, Quick(o => o.Prices = s_prices));
        Assert.Null(Assert.Single(await unlimited.ProcessBatchAsync([Limited(0, 100)], Ended)).Cost);
        Assert.Equal((0m, 1L), (unlimited.Stats.Cost, unlimited.Stats.Unpriced));
    }

    public static TheoryData<string, string> WithoutBound => new()
    {
        { """{"model":"nobody's","messages":[{"role":"user","content":"x"}],"max_tokens":5}""", "no known price" },
        { """{"model":"m","messages":[{"role":"user","content":"x"}]}""", "max_tokens" },
        { """{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]}""", "sound" },
    };

    [Theory]
    [MemberData(nameof(WithoutBound))]
    public async Task ARequestWhoseCostHasNoBoundIsNotSent_AndTheOthersGoOn(string body, string why)
    {
        var provider = new Priced((_, _) => Task.FromResult(new Usage { PromptTokens = 1, CompletionTokens = 1 }));
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Budget) = (s_prices, 1)));

        IReadOnlyList<ResponseWrapper<string>> responses = await manager.ProcessBatchAsync([LlmRequest.FromJson(body), Ask(1) with { Model = "limited" }], Ended);

        Assert.Equal(FailureKind.CostUnbounded, responses[0].Error!.Kind);
        Assert.Contains(why, responses[0].Error!.Message, StringComparison.Ordinal);
        Assert.Equal((0, 0m), (responses[0].Attempts, responses[0].Cost));
        Assert.True(responses[1].IsSuccess);
    }

    [Fact]
    public async Task AModelThatCostsNothingIsNeverHeldUp()
    {
        var provider = new Priced((_, _) => Task.FromResult(new Usage { PromptTokens = 1, CompletionTokens = 1 }));
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Budget) = (s_prices, 0)));

        Assert.All(await manager.ProcessBatchAsync(AskMany(20).Select(request => request with { Model = "free" }), Ended), response => Assert.True(response.IsSuccess));
    }

    [Fact]
    public async Task TheProvidersOwnWordWinsOverTheTable()
    {
        var provider = new Priced((_, _) => Task.FromResult(new Usage { PromptTokens = 1, CompletionTokens = 1 })) { Told = 0.25m };
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Prices = s_prices));

        Assert.Equal(0.25m, Assert.Single(await manager.ProcessBatchAsync([Ask(0)], Ended)).Cost);
        Assert.Equal(0.25m, manager.Stats.Cost);
    }

    [Fact]
    public async Task WithoutPrices_WhatAnAnswerCostIsUnknown_NotNothing()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());

        Assert.Null(Assert.Single(await manager.ProcessBatchAsync([Ask(0)], Ended)).Cost);
        Assert.Equal(1, manager.Stats.Unpriced);
    }

    [Fact]
    public void ABudgetWithoutPrices_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => new RequestManager<string>(ScriptedProvider.Echo(), new RequestManagerOptions { Budget = 1 }));
    }

    [Fact]
    public async Task ACancelledWaitGivesBackNothingThatItDidNotHave()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Ended);
        var entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var provider = new Priced(async (_, _) =>
        {
            entered.TrySetResult();
            await open.Task;
            return new Usage { PromptTokens = 1, CompletionTokens = 1 };
        });
        decimal most = Most(Limited(0, 100));
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Budget) = (s_prices, most * 1.5m)));
        Task<IReadOnlyList<ResponseWrapper<string>>> first = manager.ProcessBatchAsync([Limited(0, 100)], Ended);
        await entered.Task;
        Task<IReadOnlyList<ResponseWrapper<string>>> second = manager.ProcessBatchAsync([Limited(1, 100)], cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(() => second);
        open.SetResult();

        Assert.True(Assert.Single(await first).IsSuccess);
        Assert.True(Assert.Single(await manager.ProcessBatchAsync([Limited(2, 100)], Ended)).IsSuccess);
        Assert.Equal(2 * (InputPrice + OutputPrice), manager.Stats.Cost);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("79228162514264337593543950335")]
    public async Task GetCost_NotACost_CountsAsUnknown(string told)
    {
        var usage = new Usage { PromptTokens = 1, CompletionTokens = 1 };
        decimal stated = decimal.Parse(told, System.Globalization.CultureInfo.InvariantCulture);
        var provider = new Priced((_, _) => Task.FromResult(usage)) { Told = stated };
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Prices, o.Budget) = (s_prices, 1)));

        IReadOnlyList<ResponseWrapper<string>> outcomes = await manager.ProcessBatchAsync([Limited(0, 100), Limited(1, 100)], Ended);

        Assert.All(outcomes, outcome => Assert.Equal(InputPrice + OutputPrice, outcome.Cost));
        Assert.Equal(2 * (InputPrice + OutputPrice), manager.Stats.Cost);
    }

    private static LlmRequest Limited(int number, int most) => Ask(number) with { MaxCompletionTokens = most };

    private static decimal Most(LlmRequest request) =>
        ((request.Body.Length + FastLLM.Costs.TokenUpperBound.Preamble) * InputPrice) + (request.MaxCompletionTokens!.Value * OutputPrice);

    /// <summary>A provider that says how many tokens its answers took.</summary>
    private class Priced(Func<LlmRequest, CancellationToken, Task<Usage>> script) : Provider<string>("", "http://priced.test/v1")
    {
        private readonly ConcurrentDictionary<string, Usage?> _usages = new();
        private int _inFlight;

        public int Peak { get; private set; }

        public decimal? Told { get; init; }

        public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

        public override async Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
        {
            Peak = Math.Max(Peak, Interlocked.Increment(ref _inFlight));
            try
            {
                Usage usage = await script(request, cancellationToken);
                string answer = $"answer to {request.Key}";
                _usages[answer] = usage;
                return answer;
            }
            finally
            {
                Interlocked.Decrement(ref _inFlight);
            }
        }

        public override Usage? GetUsage(string response) => _usages.GetValueOrDefault(response);

        public override decimal? GetCost(string response) => Told;
    }

    /// <summary>A provider that bills random numbers of tokens within what a request allows, and sometimes bills without an answer.</summary>
    private sealed class Bills(int seed, TimeProvider time) : Priced((_, _) => throw new NotSupportedException())
    {
        private readonly ConcurrentDictionary<string, Usage> _usages = new();
        private readonly Random _random = new(seed);
        private readonly Lock _gate = new();
        private decimal _billed;

        public ConcurrentDictionary<RequestKey, bool> Answered { get; } = new();

        public decimal Billed
        {
            get
            {
                lock (_gate)
                {
                    return _billed;
                }
            }
        }

        public override async Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
        {
            int what, delay;
            Usage usage;
            lock (_gate)
            {
                what = _random.Next(12);
                delay = _random.Next(1, 3_000);
                long input = _random.Next(1, request.Body.Length);
                long output = _random.Next(0, request.MaxCompletionTokens!.Value + 1);
                usage = new Usage { PromptTokens = input, CompletionTokens = output, TotalTokens = input + output };
            }

            await Task.Delay(TimeSpan.FromMilliseconds(delay), time, cancellationToken);
            switch (what)
            {
                case 0:
                    throw LlmException.From(new HttpResponseMessage(System.Net.HttpStatusCode.TooManyRequests), "{}");
                case 1:
                    throw LlmException.From(new HttpResponseMessage(System.Net.HttpStatusCode.InternalServerError), "{}");
            }

            lock (_gate)
            {
                _billed += (usage.PromptTokens * InputPrice) + (usage.CompletionTokens * OutputPrice);
            }

            switch (what)
            {
                case 2:
                    throw new HttpRequestException(HttpRequestError.ResponseEnded, "cut");
                case 3:
                    throw LlmException.From(new HttpResponseMessage(System.Net.HttpStatusCode.GatewayTimeout), "{}");
                case 4:
                    await Task.Delay(timeout + TimeSpan.FromSeconds(1), time, cancellationToken);
                    break;
            }

            Answered[request.Key] = true;
            string answer = $"answer to {request.Key}";
            _usages[answer] = usage;
            return answer;
        }

        public override Usage? GetUsage(string response) => _usages.GetValueOrDefault(response);
    }
}
