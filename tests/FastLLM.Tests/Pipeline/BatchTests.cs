using FastLLM.Pipeline;
using FastLLM.Retries;
using FastLLM.Simulator;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>One bad row never stops the others, no failure is silent, and what stops a run loses nothing.</summary>
public sealed class BatchTests : EngineTest
{
    [Fact]
    public async Task OutcomesStandInRequestOrderWhateverOrderTheyCameIn()
    {
        await using var simulator = await SimulatorServer.StartAsync(
            new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(2), LatencySigma = 1.5 }, Ended);
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), Quick());

        var outcomes = await manager.ProcessBatchAsync(AskMany(500), Ended);

        Assert.All(outcomes, (outcome, i) =>
        {
            Assert.Equal(i, outcome.OrderId);
            Assert.EndsWith($": question {i}", ((ChatCompletion)outcome.Response).Text, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task AnEmptyBatchHasNoOutcomes()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());

        Assert.Empty(await manager.ProcessBatchAsync([], Ended));
    }

    [Fact]
    public async Task ANullInABatchIsRefusedWithItsPlace()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());

        var error = await Assert.ThrowsAsync<ArgumentException>(() => manager.ProcessBatchAsync([Ask(1), null!], Ended));
        Assert.Contains("Request 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AProviderThatThrowsFailsItsRowAndNoOther()
    {
        var provider = new ScriptedProvider((request, _, _) => request == Ask(3)
            ? throw new InvalidOperationException("bug")
            : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, Quick());

        var outcomes = await manager.ProcessBatchAsync(AskMany(20), Ended);

        ResponseWrapper<string> failed = Assert.Single(outcomes, outcome => !outcome.IsSuccess);
        Assert.Equal(3, failed.OrderId);
        Assert.Equal(FailureKind.Provider, failed.Error!.Kind);
        Assert.IsType<InvalidOperationException>(failed.Error.InnerException);
        Assert.Equal(1, failed.Attempts);
        Assert.Same(failed.Error, Assert.Throws<LlmException>(() => failed.Response));
    }

    [Fact]
    public async Task AProviderThatReturnsNullFailsItsRow()
    {
        await using var manager = new RequestManager<string>(new ScriptedProvider((_, _, _) => Task.FromResult<string>(null!)), Quick());

        Assert.Equal(FailureKind.Provider, (await manager.ProcessBatchAsync([Ask(1)], Ended))[0].Error?.Kind);
    }

    [Fact]
    public async Task ACacheThatCannotBeReadStopsTheRunBeforeAnythingIsSent()
    {
        var cache = new ScriptedCache { BeforeGet = _ => throw new IOException("disk gone") };
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Cache = cache));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(1000), Ended));

        Assert.Equal(FailureKind.Cache, stopped.Kind);
        Assert.Contains("disk gone", stopped.Message, StringComparison.Ordinal);
        Assert.Equal(1000, stopped.Responses.Count);
        Assert.Equal(0, provider.Sends);
    }

    [Fact]
    public async Task ACacheThatCannotBeWrittenStopsTheRun_AndThePaidAnswersAreHandedOut()
    {
        var cache = new ScriptedCache { BeforePut = key => key == Ask(0).Key ? throw new IOException("disk full") : Task.CompletedTask };
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.Cache = cache; o.Concurrency = 1; }));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(50), Ended));

        Assert.Equal(1, provider.Sends);
        Assert.Equal(ScriptedProvider.AnswerTo(Ask(0)), stopped.Responses[0].Response);
        Assert.All(stopped.Responses.Skip(1), outcome => Assert.Equal(FailureKind.NotSent, outcome.Error?.Kind));
    }

    [Fact]
    public async Task ARefusedKeyStopsTheRun_WaitsForWhatIsInFlight_AndSendsNothingMore()
    {
        var slow = new TaskCompletionSource<string>();
        var provider = new ScriptedProvider((request, _, _) => request == Ask(0)
            ? slow.Task
            : throw new LlmException(FailureKind.Authentication, "bad key"));
        var log = new LogSignals();
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Concurrency, o.Logger, o.RetryAttempts) = (2, log, 1)));

        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(100), Ended);
        await log.WaitForAsync("RequestFailed", Ended);

        Assert.False(batch.IsCompleted);
        slow.SetResult("paid for");

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => batch);
        Assert.Equal(FailureKind.Authentication, stopped.Kind);
        Assert.Equal("paid for", stopped.Responses[0].Response);
        Assert.Equal(FailureKind.Authentication, stopped.Responses[1].Error?.Kind);
        Assert.InRange(provider.Sends, 4, 30); // ten rows twice, the slow one, three probes, and what is in flight beside them
    }

    [Theory]
    [InlineData(401, "invalid_api_key", FailureKind.Authentication)]
    [InlineData(429, "insufficient_quota", FailureKind.QuotaExhausted)]
    [InlineData(404, "model_not_found", FailureKind.ModelNotFound)]
    public async Task WhatMakesAllSendsPointlessIsAnExceptionThatSaysWhatToDo(int status, string code, FailureKind kind)
    {
        await using var server = FaultServer.Start([], Fault.Respond(status, $$$"""{"error":{"message":"no","type":"{{{code}}}","code":"{{{code}}}"}}"""));
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o => o.Concurrency = 1));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(10), Ended));

        Assert.Equal(kind, stopped.Kind);
        Assert.Contains("run the same batch again", stopped.Message, StringComparison.Ordinal);
        Assert.InRange(server.Requests.Count, 3, 20);
    }

    [Fact]
    public async Task CancellingIsPrompt_AlsoWhereTheProviderDoesNotListen_AndCarriesTheResponsesSoFar()
    {
        var begun = new TaskCompletionSource();
        var provider = new ScriptedProvider((request, _, _) =>
        {
            if (request == Ask(0))
            {
                return Task.FromResult("done");
            }

            begun.TrySetResult();
            return new TaskCompletionSource<string>().Task;
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));
        using var cancel = new CancellationTokenSource();

        Task batch = manager.ProcessBatchAsync(AskMany(10), cancel.Token);
        await begun.Task;
        await cancel.CancelAsync();

        var cancelled = await Assert.ThrowsAsync<LlmCanceledException>(() => batch);
        Assert.Equal(cancel.Token, cancelled.CancellationToken);
        Assert.Equal("done", cancelled.Responses[0].Response);
        Assert.Equal(FailureKind.Canceled, cancelled.Responses[1].Error?.Kind);
        Assert.All(cancelled.Responses.Skip(2), outcome => Assert.Equal(FailureKind.NotSent, outcome.Error?.Kind));
        Assert.Equal(2, provider.Sends);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task CanceledRow_AfterSends_StatesThemAndAnUnknownCost(int sends)
    {
        var begun = new TaskCompletionSource();
        var provider = new ScriptedProvider((_, nth, token) =>
        {
            if (nth < sends)
            {
                throw new LlmException(FailureKind.ServerError, "busy") { StatusCode = 500 };
            }

            begun.TrySetResult();
            return new TaskCompletionSource<string>().Task.WaitAsync(token);
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));
        using var cancel = new CancellationTokenSource();

        Task batch = manager.ProcessBatchAsync(AskMany(2), cancel.Token);
        await begun.Task;
        await cancel.CancelAsync();

        LlmCanceledException canceled = await Assert.ThrowsAsync<LlmCanceledException>(() => batch);
        Assert.Equal((FailureKind.Canceled, sends, (decimal?)null), Facts(canceled.Responses[0]));
        Assert.Equal((FailureKind.NotSent, 0, 0m), Facts(canceled.Responses[1]));

        static (FailureKind?, int, decimal?) Facts(ResponseWrapper outcome) => (outcome.Error?.Kind, outcome.Attempts, outcome.Cost);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RowLeftInItsBackOff_AfterALostConnection_StatesTheSendAndAnUnknownCost(bool isCanceled)
    {
        var log = new LogSignals();
        var waits = new TaskCompletionSource();
        var provider = new ScriptedProvider(async (request, _, _) =>
        {
            if (request == Ask(0))
            {
                throw new HttpRequestException("reset");
            }

            await waits.Task;
            return "fine";
        });
        var cache = new ScriptedCache { BeforePut = _ => throw new IOException("the disk is full") };
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => (o.Concurrency, o.Logger, o.Cache) = (2, log, cache)));
        using var cancel = new CancellationTokenSource();

        Task batch = manager.ProcessBatchAsync(AskMany(2), cancel.Token);
        await log.WaitForAsync("RetryScheduled", Ended);
        if (isCanceled)
        {
            await cancel.CancelAsync();
        }

        waits.SetResult(); // its answer cannot be kept, which stops the run

        IReadOnlyList<ResponseWrapper> left = isCanceled
            ? (await Assert.ThrowsAsync<LlmCanceledException>(() => batch)).Responses
            : (await Assert.ThrowsAsync<LlmRunException>(() => batch)).Responses;
        Assert.Equal((FailureKind.NotSent, 1, (decimal?)null), (left[0].Error!.Kind, left[0].Attempts, left[0].Cost));
        Assert.Contains("reset", left[0].Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EqualRowsCanceledInFlight_StateOneSend()
    {
        var provider = new ScriptedProvider((_, _, token) => new TaskCompletionSource<string>().Task.WaitAsync(token));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 2));
        using var cancel = new CancellationTokenSource();

        Task batch = manager.ProcessBatchAsync([Ask(0), Ask(0), Ask(0), Ask(1)], cancel.Token);
        await provider.WaitForSendsAsync(2, Ended);
        await cancel.CancelAsync();

        LlmCanceledException canceled = await Assert.ThrowsAsync<LlmCanceledException>(() => batch);
        Assert.Equal(2, canceled.Responses.Sum(outcome => outcome.Attempts));
        Assert.Equal(2, canceled.Responses.Count(outcome => outcome.Cost is null));
    }

    [Fact]
    public async Task ATokenThatIsAlreadyCancelledSendsNothing()
    {
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, Quick());

        await Assert.ThrowsAsync<LlmCanceledException>(() => manager.ProcessBatchAsync(AskMany(10), new CancellationToken(canceled: true)));

        Assert.Equal(0, provider.Sends);
    }

    [Fact]
    public async Task AManagerIsAsGoodAsNewAfterACancelledBatch()
    {
        bool hang = true;
        var begun = new CountdownEvent(4);
        var provider = new ScriptedProvider((request, _, token) =>
        {
            if (!hang)
            {
                return Task.FromResult("fine");
            }

            begun.Signal();
            return new TaskCompletionSource<string>().Task.WaitAsync(token);
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 4));
        using var cancel = new CancellationTokenSource();
        Task batch = manager.ProcessBatchAsync(AskMany(10), cancel.Token);
        await Task.Run(() => begun.Wait(Ended), Ended);
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(() => batch);
        hang = false;

        var outcomes = await manager.ProcessBatchAsync(AskMany(100), Ended);

        Assert.All(outcomes, outcome => Assert.Equal("fine", outcome.Response));
    }

    [Fact]
    public async Task AfterAStopNothingMoreIsSent_NeitherByThoseWhoBackOffNorByThoseWhoWereThrottledMeanwhile()
    {
        var gate = new TaskCompletionSource();
        var sent = new CountdownEvent(10);
        var provider = new ScriptedProvider(async (request, _, _) =>
        {
            sent.Signal();
            if (request == Ask(0))
            {
                await Task.Run(() => sent.Wait(Ended), Ended);
                throw new LlmException(FailureKind.Cache, "no room");
            }

            await gate.Task;
            throw new LlmException(FailureKind.Overloaded, "503") { RetryAfter = TimeSpan.FromMinutes(2) };
        });
        var log = new LogSignals();
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Concurrency, o.Logger) = (10, log)));

        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(100), Ended);
        await log.WaitForAsync("RequestFailed", Ended);
        gate.SetResult();
        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => batch);

        Assert.Equal(10, provider.Sends);
        Assert.All(stopped.Responses.Skip(1), outcome => Assert.Equal(FailureKind.NotSent, outcome.Error?.Kind));
        Assert.All(stopped.Responses.Skip(1).Take(9), outcome => Assert.Equal(FailureKind.Overloaded, Assert.IsType<LlmException>(outcome.Error!.InnerException).Kind));
    }

    [Fact]
    public async Task AStoppedRunDoesNotWaitForAnotherBatchsBackOff()
    {
        var backsOff = new TaskCompletionSource();
        var provider = new ScriptedProvider((request, _, _) =>
        {
            if (request == Ask(1))
            {
                throw new LlmException(FailureKind.Cache, "no money");
            }

            backsOff.TrySetResult();
            throw new LlmException(FailureKind.Overloaded, "503") { RetryAfter = TimeSpan.FromMinutes(10) };
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));
        using var cancel = new CancellationTokenSource();
        Task other = manager.ProcessBatchAsync([Ask(0)], cancel.Token);
        await backsOff.Task;

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync([Ask(0), Ask(1)], Ended));

        Assert.Equal(FailureKind.Cache, stopped.Kind);
        Assert.False(other.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(() => other);
    }

    [Fact]
    public async Task StoppedRun_WhoseRowJoinedASendOfAnotherRun_EndsWithThatSend()
    {
        var sending = new TaskCompletionSource();
        var log = new LogSignals();
        var provider = new ScriptedProvider(async (request, _, _) =>
        {
            if (request == Ask(1))
            {
                throw new LlmException(FailureKind.Cache, "no room");
            }

            sending.TrySetResult();
            await log.WaitForAsync("CacheFailed", Ended);
            throw new LlmException(FailureKind.Overloaded, "503") { RetryAfter = TimeSpan.FromMinutes(10) };
        });
        await using var manager = new RequestManager<string>(provider, Quick(o =>
        {
            o.Concurrency = 2;
            o.Logger = log;
        }));
        using var cancel = new CancellationTokenSource();
        Task other = manager.ProcessBatchAsync([Ask(0)], cancel.Token);
        await sending.Task;

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync([Ask(0), Ask(1)], Ended));

        Assert.Equal(FailureKind.NotSent, stopped.Responses[0].Error?.Kind);
        Assert.False(other.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(() => other);
    }

    [Fact]
    public async Task ARequestWithoutAKeyDoesNotGetInTheWayOfTheOthersResponses()
    {
        LlmRequest broken = LlmRequest.FromPrompt(null, "half a pair: \ud800");
        var provider = new ScriptedProvider((request, _, _) => request == Ask(0)
            ? Task.FromResult("fine")
            : throw new LlmException(FailureKind.Cache, "no room"));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync([Ask(0), Ask(1), broken], Ended));

        Assert.Equal("fine", stopped.Responses[0].Response);
        Assert.Equal(FailureKind.NotSent, stopped.Responses[2].Error?.Kind);
        Assert.Equal(64, stopped.Responses[2].RequestId.Length);
    }

    [Fact]
    public async Task DisposingAManagerEndsItsBatchesWithWhatTheyHave()
    {
        var hangs = new TaskCompletionSource();
        var provider = new ScriptedProvider((request, _, _) =>
        {
            if (request == Ask(0))
            {
                return Task.FromResult("fine");
            }

            hangs.TrySetResult();
            return new TaskCompletionSource<string>().Task;
        });
        var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));
        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(3), Ended);
        await hangs.Task;

        await manager.DisposeAsync();

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => batch);
        Assert.Equal("fine", stopped.Responses[0].Response);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => manager.ProcessBatchAsync([Ask(1)], Ended));
    }

    [Fact]
    public async Task WhileAnAnswerIsRecordedTheNextRequestIsSent()
    {
        var mayRecord = new TaskCompletionSource();
        var cache = new ScriptedCache { BeforePut = _ => mayRecord.Task };
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 1; o.Cache = cache; }));

        Task<IReadOnlyList<ResponseWrapper<string>>> batch = manager.ProcessBatchAsync(AskMany(20), Ended);
        await provider.WaitForSendsAsync(20, Ended);
        mayRecord.SetResult();
        Assert.All(await batch, outcome => Assert.True(outcome.IsSuccess));
    }

    [Fact]
    public async Task AnAnswerThatIsBeingRecordedIsNotAskedForAgain_EvenIfItsFirstCallerHasLeft()
    {
        var recording = new TaskCompletionSource();
        var mayRecord = new TaskCompletionSource();
        var cache = new ScriptedCache
        {
            BeforePut = _ =>
            {
                recording.TrySetResult();
                return mayRecord.Task;
            },
        };
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Cache = cache));
        using var cancel = new CancellationTokenSource();
        Task first = manager.ProcessBatchAsync([Ask(1)], cancel.Token);
        await recording.Task;
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<LlmCanceledException>(() => first);

        Task<IReadOnlyList<ResponseWrapper<string>>> second = manager.ProcessBatchAsync([Ask(1)], Ended);
        mayRecord.SetResult();

        Assert.True((await second)[0].IsSuccess);
        Assert.Equal(1, provider.Sends);
    }

    [Fact]
    public async Task WhatAProviderHangsOnItsTokenDoesNotOutliveTheSend()
    {
        CancellationToken first = default;
        var isSecondSent = new TaskCompletionSource();
        var provider = new ScriptedProvider((request, _, token) =>
        {
            if (request == Ask(0))
            {
                first = token;
                return Task.FromResult("fine");
            }

            isSecondSent.SetResult();
            return new TaskCompletionSource<string>().Task;
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 1; o.RetryAttempts = 1; }));

        var batch = manager.ProcessBatchAsync(AskMany(2), Ended);
        await isSecondSent.Task.WaitAsync(Ended);
        var outcomes = await RunClockAsync(batch);

        Assert.Equal(FailureKind.Timeout, outcomes[1].Error?.Kind);
        Assert.False(first.IsCancellationRequested);
    }

    [Fact]
    public async Task AHandlerThatDoesNotListenToItsTokenTimesOutAllTheSame()
    {
        using var handler = new DeafHandler();
        await using var manager = new RequestManager(
            new OpenAIProvider("k"), OnManualClock(o => { o.HttpMessageHandler = handler; o.RetryAttempts = 1; }));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync([Ask(1)], Ended));

        Assert.Equal(FailureKind.Timeout, outcomes[0].Error?.Kind);
    }

    [Fact]
    public async Task RowsThatAskTheSameStreamedOrNotShareOneSend()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        await using var manager = new RequestManager(new OpenAIProvider("", simulator.ApiBase), Quick(o => o.Concurrency = 1));

        var outcomes = await manager.ProcessBatchAsync([Ask(1) with { Stream = true }, Ask(1), Ask(1) with { Stream = true }], Ended);

        Assert.All(outcomes, outcome => Assert.EndsWith("question 1", Assert.IsType<ChatCompletion>(outcome.Response).Text, StringComparison.Ordinal));
        Assert.Equal(1, simulator.Stats.Sends);
    }

    [Fact]
    public async Task AProvidersOwnTimerThatFiresWithTheTimeoutIsATimeout()
    {
        var provider = new ScriptedProvider((_, _, _) =>
        {
            Time.Advance(TimeSpan.FromSeconds(29.9));
            throw new OperationCanceledException();
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.RetryAttempts = 1));

        Assert.Equal(FailureKind.Timeout, (await manager.ProcessBatchAsync([Ask(1)], Ended))[0].Error?.Kind);
    }

    [Fact]
    public async Task OneInstanceOfAFailureThrownAgainAndAgainTellsEachRowItsOwnNumberOfSends()
    {
        var shared = new LlmException(FailureKind.ServerError, "500");
        var provider = new ScriptedProvider((request, nth, _) => throw (request == Ask(0) && nth == 1 ? new LlmException(FailureKind.InvalidRequest, "no") : shared));
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.Concurrency = 1; o.RetryAttempts = 3; }));
        await using var once = new RequestManager<string>(provider, Quick(o => o.RetryAttempts = 1));

        var thrice = await manager.ProcessBatchAsync([Ask(1)], Ended);
        var single = await once.ProcessBatchAsync([Ask(2)], Ended);

        Assert.Equal((3, 1), (thrice[0].Error!.Attempts, single[0].Error!.Attempts));
    }

    [Fact]
    public void ProcessBatchDoesNotLockUpUnderASynchronizationContext()
    {
        SynchronizationContext? before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new DeadContext());
        try
        {
            using var manager = new Disposing<RequestManager<string>>(new RequestManager<string>(
                new ScriptedProvider(static async (_, _, _) =>
                {
                    await Task.Yield();
                    return "fine";
                }),
                Quick()));

            Assert.Equal(20, manager.Value.ProcessBatch(AskMany(20), Ended).Count);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    [Fact]
    public async Task DisposingTheManagerLeavesCacheAndHandlerOpen()
    {
        var cache = new ScriptedCache();
        using var handler = new CountingHandler();
        await using (new RequestManager(new OpenAIProvider("k"), Quick(o => { o.Cache = cache; o.HttpMessageHandler = handler; })))
        {
        }

        Assert.False(cache.IsClosed);
        Assert.False(handler.IsDisposed);
        await cache.CloseAsync(Ended);
    }

    [Fact]
    public async Task ADisposedManagerAndItsAnswersAreNotHeldByAnything()
    {
        WeakReference[] gone = await RunAndForgetAsync();

        // A worker may still be on its way out. What is held for good ends at the time limit of the test.
        while (gone.Any(reference => reference.IsAlive))
        {
            Ended.ThrowIfCancellationRequested();
            GC.Collect();
            GC.WaitForPendingFinalizers();
            await Task.Yield();
        }

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static async Task<WeakReference[]> RunAndForgetAsync()
        {
            await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick(o => o.Concurrency = 20));
            var outcomes = await manager.ProcessBatchAsync(AskMany(100), Ended);
            return [new WeakReference(manager), new WeakReference(outcomes[0]), new WeakReference(outcomes[99])];
        }
    }

    [Fact]
    public async Task StatisticsCountAnAnswerOnce()
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        var reported = new LastReport();
        await using var manager = new RequestManager(
            new OpenAIProvider("", simulator.ApiBase), Quick(o => { o.Cache = new InMemoryCache(); o.Progress = reported; }));
        var first = await manager.ProcessBatchAsync([Ask(1)], Ended);
        Usage usage = first[0].Usage!;

        var second = await manager.ProcessBatchAsync([Ask(1), Ask(1), Ask(2)], Ended);

        TokenStats stats = manager.Stats;
        Assert.Equal(4, stats.RequestsCompleted);
        Assert.Equal(2, stats.Sent);
        Assert.Equal(2, stats.CacheHits + stats.Shared);
        Assert.Equal(usage.PromptTokens + second[2].Usage!.PromptTokens, stats.PromptTokens);
        Assert.Equal(3, reported.Last!.RequestsCompleted);
        Assert.Equal(second[2].Usage!.PromptTokens, reported.Last.PromptTokens);
        Assert.Equal(usage.TotalTokens, second[0].Usage!.TotalTokens);
    }

    [Fact]
    public async Task ARequestThatCannotBeWrittenFailsItsRowOnly()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());
        LlmRequest broken = LlmRequest.FromPrompt(null, "half a pair: \ud800");

        var outcomes = await manager.ProcessBatchAsync([Ask(1), broken], Ended);

        Assert.True(outcomes[0].IsSuccess);
        Assert.Equal(FailureKind.InvalidRequest, outcomes[1].Error?.Kind);
    }

    private sealed class DeadContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
            // Nobody pumps: what is posted here never runs.
        }
    }

    private sealed class Disposing<T>(T value) : IDisposable
        where T : IAsyncDisposable
    {
        public T Value { get; } = value;

        public void Dispose() => Value.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private sealed class DeafHandler : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            new TaskCompletionSource<HttpResponseMessage>().Task;
    }

    private sealed class CountingHandler : HttpMessageHandler
    {
        public bool IsDisposed { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            IsDisposed = true;
            base.Dispose(disposing);
        }
    }

    private sealed class LastReport : IProgress<TokenStats>
    {
        public TokenStats? Last { get; private set; }

        public void Report(TokenStats value) => Last = value;
    }
}
