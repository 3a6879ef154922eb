using System.Runtime.CompilerServices;
using System.Threading.Channels;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>Streams without end: bounded memory, outcomes as they come, and a clean end however it comes.</summary>
public sealed class StreamTests : EngineTest
{
    [Fact]
    public async Task EveryRequestOfAStreamGetsItsOutcome()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick(o => o.Concurrency = 50));
        var seen = new HashSet<long>();

        await foreach (ResponseWrapper<string> outcome in manager.ProcessAsync(From(AskMany(20_000)), Ended))
        {
            Assert.Equal(ScriptedProvider.AnswerTo(Ask((int)outcome.OrderId)), outcome.Response);
            Assert.True(seen.Add(outcome.OrderId));
        }

        Assert.Equal(20_000, seen.Count);
    }

    [Fact]
    public async Task AnEmptyStreamEnds()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());

        Assert.Empty(await manager.ProcessAsync(From([]), Ended).ToListAsync(Ended));
    }

    [Fact]
    public async Task OutcomesComeAsTheyAreReady_AStragglerHoldsUpNobody()
    {
        var straggler = new TaskCompletionSource<string>();
        var provider = new ScriptedProvider((request, _, _) => request == Ask(0) ? straggler.Task : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 2));
        var order = new List<long>();

        await foreach (ResponseWrapper<string> outcome in manager.ProcessAsync(From(AskMany(100)), Ended))
        {
            order.Add(outcome.OrderId);
            if (order.Count == 99)
            {
                straggler.SetResult("late");
            }
        }

        Assert.Equal(0, order[^1]);
    }

    [Fact]
    public async Task RequestsAreReadNoFasterThanOutcomesAreTaken()
    {
        var taken = 0;
        var handedOut = 0;
        var provider = ScriptedProvider.Echo();
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 4));

        await foreach (ResponseWrapper<string> outcome in manager.ProcessAsync(Endless(() => taken++), Ended))
        {
            Assert.InRange(taken, ++handedOut, handedOut + 1100);
            if (handedOut == 5000)
            {
                break;
            }
        }

        Assert.InRange(provider.Sends, 5000, 12_000);
    }

    [Fact]
    public async Task AnOutcomeComesWhileTheSourceIsStillWaitingForMore()
    {
        var source = Channel.CreateUnbounded<LlmRequest>();
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());
        await using var outcomes = manager.ProcessAsync(source.Reader.ReadAllAsync(Ended), Ended).GetAsyncEnumerator(Ended);

        for (var i = 0; i < 5; i++)
        {
            await source.Writer.WriteAsync(Ask(i), Ended);
            Assert.True(await outcomes.MoveNextAsync());
            Assert.Equal(i, outcomes.Current.OrderId);
        }

        source.Writer.Complete();
        Assert.False(await outcomes.MoveNextAsync());
    }

    [Fact]
    public async Task WhatTheSourceThrowsComesAfterTheOutcomesOfWhatItGave()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());
        var outcomes = 0;

        var thrown = await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (ResponseWrapper<string> _ in manager.ProcessAsync(Failing(10), Ended))
            {
                outcomes++;
            }
        });

        Assert.Equal("the source broke", thrown.Message);
        Assert.Equal(10, outcomes);
    }

    [Fact]
    public async Task LeavingAStreamEarlyEndsItsSends_AndTheManagerGoesOn()
    {
        var sends = new HeldSends();
        var provider = new ScriptedProvider((request, nth, token) => request == Ask(0)
            ? Task.FromResult("first")
            : request.Model == "later" ? sends.HoldAsync(request, nth, token) : new TaskCompletionSource<string>().Task.WaitAsync(token));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 10));

        await foreach (ResponseWrapper<string> outcome in manager.ProcessAsync(Endless(() => 0), Ended))
        {
            Assert.Equal("first", outcome.Response);
            break;
        }

        // All leases come back: as many are in flight at once as may be.
        Task<IReadOnlyList<ResponseWrapper<string>>> later = manager.ProcessBatchAsync(AskMany(10).Select(request => request with { Model = "later" }), Ended);
        await sends.WaitForAsync(10, Ended);
        sends.Release();
        Assert.All(await later, outcome => Assert.True(outcome.IsSuccess));
    }

    [Fact]
    public async Task CancellingAStreamIsPrompt_AlsoWhereItsSourceHangs()
    {
        await using var manager = new RequestManager<string>(ScriptedProvider.Echo(), Quick());
        using var cancel = new CancellationTokenSource();
        await using var outcomes = manager.ProcessAsync(Hanging(Ended), cancel.Token).GetAsyncEnumerator(Ended);
        Assert.True(await outcomes.MoveNextAsync());

        ValueTask<bool> next = outcomes.MoveNextAsync();
        await cancel.CancelAsync();

        await Assert.ThrowsAsync<LlmCanceledException>(async () => await next);
    }

    [Fact]
    public async Task AStreamThatCannotGoOnHandsOutWhatItHasAndThenSaysWhy()
    {
        var sends = 0;
        var provider = new ScriptedProvider((_, _, _) => Interlocked.Increment(ref sends) > 5
            ? throw new LlmException(FailureKind.QuotaExhausted, "no money")
            : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Concurrency, o.RetryAttempts) = (1, 1)));
        var outcomes = new List<ResponseWrapper<string>>();

        var stopped = await Assert.ThrowsAsync<LlmRunException>(async () =>
        {
            await foreach (ResponseWrapper<string> outcome in manager.ProcessAsync(Endless(() => 0), Ended))
            {
                outcomes.Add(outcome);
            }
        });

        Assert.Equal(FailureKind.QuotaExhausted, stopped.Kind);
        Assert.Equal(5, outcomes.Count(outcome => outcome.IsSuccess));
        Assert.InRange(provider.Sends, 15, 30);
    }

    [Fact]
    public async Task AStreamThatCannotGoOnEnds_AlsoWhileItsSourceIsWaiting()
    {
        var source = Channel.CreateUnbounded<LlmRequest>();
        source.Writer.TryWrite(Ask(1));
        var provider = new ScriptedProvider((_, _, _) => throw new LlmException(FailureKind.QuotaExhausted, "no money"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => o.Timeout = Timeout.InfiniteTimeSpan));

        await Assert.ThrowsAsync<LlmRunException>(() => RunClockAsync(manager.ProcessAsync(source.Reader.ReadAllAsync(Ended), Ended).ToListAsync(Ended).AsTask()));
    }

    [Fact]
    public async Task EqualRequestsOfAStreamShareAFailure()
    {
        var provider = new ScriptedProvider((_, _, _) => throw new LlmException(FailureKind.InvalidRequest, "no"));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));

        var outcomes = await manager.ProcessAsync(From(Enumerable.Repeat(Ask(1), 100)), Ended).ToListAsync(Ended);

        Assert.Equal(1, provider.Sends);
        Assert.All(outcomes, outcome => Assert.Equal(FailureKind.InvalidRequest, outcome.Error?.Kind));
    }

    private static async IAsyncEnumerable<LlmRequest> From(IEnumerable<LlmRequest> requests)
    {
        foreach (LlmRequest request in requests)
        {
            yield return request;
        }

        await Task.CompletedTask;
    }

    private static async IAsyncEnumerable<LlmRequest> Endless(Func<int> onEach)
    {
        for (var i = 0; ; i++)
        {
            onEach();
            yield return Ask(i);
            await Task.Yield();
        }
    }

    private static async IAsyncEnumerable<LlmRequest> Failing(int after)
    {
        for (var i = 0; i < after; i++)
        {
            yield return Ask(i);
        }

        await Task.Yield();
        throw new InvalidDataException("the source broke");
    }

    private static async IAsyncEnumerable<LlmRequest> Hanging([EnumeratorCancellation] CancellationToken ignored = default)
    {
        yield return Ask(1);
        await new TaskCompletionSource().Task;
        yield return Ask(2);
    }
}
