using System.Threading.Channels;
using FastLLM.Pipeline;
using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>A failure that others may share stops a run only if no other row is answered.</summary>
public sealed class BadRowTests : EngineTest
{
    [Theory]
    [InlineData(FailureKind.PermissionDenied, 0, 2)]
    [InlineData(FailureKind.PermissionDenied, 299, 2)]
    [InlineData(FailureKind.Authentication, 150, 2)]
    [InlineData(FailureKind.Authentication, 0, 2)]
    [InlineData(FailureKind.QuotaExhausted, 299, 2)]
    [InlineData(FailureKind.ModelNotFound, 150, 1)]
    [InlineData(FailureKind.DailyLimit, 7, 1)]
    public async Task OneRow_KeepsFailing_FailsAlone(FailureKind kind, int bad, int attempts)
    {
        foreach (int concurrency in (int[])[1, 20])
        {
            await using var manager = new RequestManager<string>(Failing(kind, row => row == bad), Quick(o => o.Concurrency = concurrency));

            List<ResponseWrapper<string>> outcomes = await EndAsync(manager, AskMany(300));

            ResponseWrapper<string> failed = Assert.Single(outcomes, outcome => !outcome.IsSuccess);
            Assert.Equal((bad, kind, FailureScope.Request, attempts), ((int)failed.OrderId, failed.Error!.Kind, failed.Error.FailureScope, failed.Attempts));
        }
    }

    [Fact]
    public async Task EveryFiftiethRow_KeepsFailing_FailsAlone()
    {
        await using var manager = new RequestManager<string>(Failing(FailureKind.PermissionDenied, row => row % 50 == 0), Quick());

        List<ResponseWrapper<string>> outcomes = await EndAsync(manager, AskMany(300));

        Assert.Equal([0, 50, 100, 150, 200, 250], outcomes.Where(outcome => !outcome.IsSuccess).Select(outcome => (int)outcome.OrderId).Order());
    }

    [Fact]
    public async Task Refusal_Once_IsRetried()
    {
        var provider = new ScriptedProvider((request, nth, _) => request == Ask(5) && nth == 1
            ? throw new LlmException(FailureKind.Authentication, "once") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, Quick());

        Assert.All(await EndAsync(manager, AskMany(10)), outcome => Assert.True(outcome.IsSuccess));
    }

    [Theory]
    [InlineData(FailureKind.PermissionDenied, 0)]
    [InlineData(FailureKind.ModelNotFound, 0)]
    [InlineData(FailureKind.InvalidRequest, 0)]
    [InlineData(FailureKind.PermissionDenied, 100)]
    [InlineData(FailureKind.Authentication, 0)]
    [InlineData(FailureKind.Authentication, 100)]
    [InlineData(FailureKind.QuotaExhausted, 0)]
    [InlineData(FailureKind.QuotaExhausted, 100)]
    [InlineData(FailureKind.QuotaExhausted, 0, 1)]
    public async Task BlockOfBadRows_IsPassedByProbes(FailureKind kind, int first, int concurrency = 3)
    {
        await using var manager = new RequestManager<string>(
            Failing(kind, row => row >= first && row < first + 15), Quick(o => o.Concurrency = concurrency));

        List<ResponseWrapper<string>> outcomes = await EndAsync(manager, AskMany(300));

        Assert.Equal(15, outcomes.Count(outcome => outcome.Error is { FailureScope: FailureScope.Request } error && error.Kind == kind));
        Assert.Equal(285, outcomes.Count(outcome => outcome.IsSuccess));
    }

    [Theory]
    [InlineData(325, 150)]
    [InlineData(0, 400)]
    public async Task LongBlockOfBadRows_IsSentAmongTheOthers_AndFailsAlone(int first, int count)
    {
        await using var manager = new RequestManager<string>(
            Failing(FailureKind.PermissionDenied, row => row >= first && row < first + count), Quick(o => o.Concurrency = 20));

        List<ResponseWrapper<string>> outcomes = await EndAsync(manager, AskMany(800));

        Assert.Equal(800 - count, outcomes.Count(outcome => outcome.IsSuccess));
        Assert.Equal(count, outcomes.Count(outcome => outcome.Error?.FailureScope == FailureScope.Request));
    }

    [Fact]
    public async Task BlockOfBadRows_OfTwoModels_ClosesNone()
    {
        await using var manager = new RequestManager<string>(
            Failing(FailureKind.PermissionDenied, row => row < 20), Quick(o => o.Concurrency = 5));

        List<ResponseWrapper<string>> outcomes =
            await EndAsync(manager, [.. AskMany(300).Select((request, i) => request with { Model = i % 2 == 0 ? "a" : "b" })]);

        Assert.Equal(280, outcomes.Count(outcome => outcome.IsSuccess));
    }

    [Fact]
    public async Task BlockOfBadRows_ShorterThanTheConcurrency_FailsAlone()
    {
        await using var manager = new RequestManager<string>(
            Failing(FailureKind.PermissionDenied, row => row is >= 100 and < 160), Quick(o => o.Concurrency = 80));

        List<ResponseWrapper<string>> outcomes = await EndAsync(manager, AskMany(300));

        Assert.Equal(240, outcomes.Count(outcome => outcome.IsSuccess));
        Assert.Equal(60, outcomes.Count(outcome => outcome.Error?.FailureScope == FailureScope.Request));
    }

    [Theory]
    [InlineData(FailureKind.PermissionDenied, 0, 100)]
    [InlineData(FailureKind.PermissionDenied, 50, 100)]
    [InlineData(FailureKind.Authentication, 0, null)]
    [InlineData(FailureKind.QuotaExhausted, 0, null)]
    public async Task RowsOfOneModel_Refused_LetTheOtherModelBeAnswered(FailureKind kind, int first, int? failed)
    {
        var provider = new ScriptedProvider((request, _, _) => request.Model == "b" ? throw new LlmException(kind, "no") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 6));
        List<ResponseWrapper<string>> outcomes = [];

        // A refused key may stop the run at last: nothing is answered after the other model is done.
        Exception? stopped = await Record.ExceptionAsync(() => EndAsync(
            manager, [.. AskMany(150).Select((request, i) => request with { Model = i >= first && i < first + 100 ? "b" : "a" })], outcomes));

        Assert.Equal(50, outcomes.Count(outcome => outcome.IsSuccess));
        if (failed is not null)
        {
            Assert.Null(stopped);
            Assert.Equal(failed, outcomes.Count(outcome => outcome.Error is { FailureScope: FailureScope.Request } error && error.Kind == kind));
        }
    }

    [Theory]
    [InlineData(FailureKind.Authentication, 1, 1)]
    [InlineData(FailureKind.Authentication, 3, 20)]
    [InlineData(FailureKind.ModelNotFound, 1, 5)]
    [InlineData(FailureKind.PermissionDenied, 300, 1)]
    [InlineData(FailureKind.InvalidResponse, 300, 1)]
    [InlineData(FailureKind.InvalidResponse, 300, 20)]
    [InlineData(FailureKind.IncompleteResponse, 300, 20)]
    public async Task AllRows_Fail_StopTheRunEarly(FailureKind kind, int rows, int concurrency)
    {
        ScriptedProvider provider = Failing(kind, static _ => true);
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = concurrency));
        List<ResponseWrapper<string>> outcomes = [];

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => EndAsync(manager, AskMany(rows), outcomes));

        Assert.Equal(kind, stopped.Kind);
        Assert.InRange(provider.Sends, Math.Min(rows, SharedFailureDetector.EnoughOfKey), 50);
        Assert.All(outcomes.Where(outcome => outcome.Error!.Kind == kind), outcome => Assert.Equal(FailureScope.Run, outcome.Error!.FailureScope));
    }

    [Fact]
    public async Task Key_RevokedInMidRun_StopsTheRunAndLosesNoRow()
    {
        const int Concurrency = 20;
        var sends = 0;
        var provider = new ScriptedProvider((_, _, _) => Interlocked.Increment(ref sends) > 100
            ? throw new LlmException(FailureKind.Authentication, "revoked") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = Concurrency));
        List<ResponseWrapper<string>> outcomes = [];

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => EndAsync(manager, AskMany(1000), outcomes));

        Assert.Equal(FailureKind.Authentication, stopped.Kind);

        // A send that began later than one that failed may have reached the provider first, and was answered: such failures count as the
        // rows' own at first.
        Assert.InRange(provider.Sends, 110, 100 + (2 * Concurrency) + SharedFailureDetector.Probes);
        Assert.Equal(100, outcomes.Count(outcome => outcome.IsSuccess));
        Assert.All(outcomes.Where(outcome => outcome.Error?.Kind == FailureKind.Authentication), outcome => Assert.Equal(FailureScope.Run, outcome.Error!.FailureScope));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ModelThatDoesNotExist_FailsItsRows_AfterAFewSends(bool sorted)
    {
        var provider = new ScriptedProvider((request, _, _) => request.Model == "missing"
            ? throw new LlmException(FailureKind.ModelNotFound, "no such model") { StatusCode = 404 } : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 5));
        LlmRequest[] rows = [.. Enumerable.Range(0, 600).Select(i => LlmRequest.FromPrompt("t", $"q {i}", (sorted ? i < 300 : i % 2 == 0) ? "missing" : "m"))];

        List<ResponseWrapper<string>> outcomes = await EndAsync(manager, rows);

        Assert.Equal(300, outcomes.Count(outcome => outcome.IsSuccess));
        Assert.Equal(300, outcomes.Count(outcome => outcome.Error is { Kind: FailureKind.ModelNotFound, FailureScope: FailureScope.Request }));

        // Ten that fail alike, at most four that were in flight beside the tenth, and three probes.
        Assert.InRange(provider.Sends, 310, 317);
    }

    [Fact]
    public async Task WrongResponses_ForTheFirstSendsOnly_DoNotStopTheRun()
    {
        var provider = new ScriptedProvider((request, nth, _) => nth == 1 && NumberOf(request) < 20
            ? throw new LlmException(FailureKind.InvalidResponse, "HTML") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => { o.Concurrency = 20; o.Timeout = Timeout.InfiniteTimeSpan; }));

        Assert.All(await RunClockAsync(EndAsync(manager, AskMany(100))), outcome => Assert.True(outcome.IsSuccess));
    }

    [Theory]
    [InlineData(FailureKind.RateLimited)]
    [InlineData(FailureKind.Overloaded)]
    public async Task RowThatIsAlwaysRefused_WhenOthersAreDone_Fails(FailureKind kind)
    {
        await using var manager = new RequestManager<string>(
            Failing(kind, row => row is 3 or 12), OnManualClock(o => { o.MaxThrottleWait = TimeSpan.FromDays(7); o.Timeout = Timeout.InfiniteTimeSpan; }));

        // The others need no clock: before they are answered, it must not run, or the two rows alone would be an outage.
        await using IAsyncEnumerator<ResponseWrapper<string>> rest =
            manager.Open(AskMany(20).ToAsyncEnumerable(), new RunSettings { HoldsSuspects = true }, Ended).Outcomes.GetAsyncEnumerator(Ended);
        List<ResponseWrapper<string>> outcomes = await TakeAsync(rest, 18);
        outcomes.AddRange(await RunClockAsync(TakeAsync(rest, 2)));
        Assert.False(await rest.MoveNextAsync());

        Assert.Equal([3, 12], outcomes.Where(outcome => outcome.Error?.Kind == kind).Select(outcome => (int)outcome.OrderId).Order());
        Assert.Equal(18, outcomes.Count(outcome => outcome.IsSuccess));
    }

    [Fact]
    public async Task RowThatIsToldToComeBackMuchLater_WhenOthersAreDone_Fails()
    {
        var provider = new ScriptedProvider((request, _, _) => request.Key == Ask(3).Key
            ? throw new LlmException(FailureKind.RateLimited, "429") { RetryAfter = TimeSpan.FromHours(1) } : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => { o.MaxThrottleWait = TimeSpan.FromDays(7); o.Timeout = Timeout.InfiniteTimeSpan; }));

        await using IAsyncEnumerator<ResponseWrapper<string>> rest =
            manager.Open(AskMany(20).ToAsyncEnumerable(), new RunSettings { HoldsSuspects = true }, Ended).Outcomes.GetAsyncEnumerator(Ended);
        await TakeAsync(rest, 19);
        ResponseWrapper<string> last = Assert.Single(await RunClockAsync(TakeAsync(rest, 1)));
        Assert.False(await rest.MoveNextAsync());

        Assert.Equal((3, FailureKind.RateLimited), ((int)last.OrderId, last.Error?.Kind));
        Assert.InRange(Time.Elapsed, TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(5));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60)]
    public async Task BlockOfRowsThatAreAlwaysThrottled_LetsTheOthersBeAnsweredFirst(int first)
    {
        await using var manager = new RequestManager<string>(
            Failing(FailureKind.RateLimited, row => row >= first && row < first + 40), Quick(o => o.Concurrency = 20));
        await using IAsyncEnumerator<ResponseWrapper<string>> outcomes = manager.ProcessAsync(AskMany(200).ToAsyncEnumerable(), Ended).GetAsyncEnumerator(Ended);

        Assert.All(await TakeAsync(outcomes, 160), static outcome => Assert.True(outcome.IsSuccess));
    }

    [Theory]
    [InlineData(FailureKind.ServerError, 5, 15, 4)]
    [InlineData(FailureKind.ServerError, 5, 40, 20)]
    [InlineData(FailureKind.ConnectionLost, 5, 40, 20)]
    [InlineData(FailureKind.RateLimited, 5, 12, 20)]
    [InlineData(FailureKind.Overloaded, 160, 40, 20)]
    [InlineData(FailureKind.Overloaded, 185, 15, 100)]
    [InlineData(FailureKind.RateLimited, 185, 15, 4)]
    [InlineData(FailureKind.ConnectionLost, 160, 40, 20)]
    public async Task BlockOfRowsThatLookLikeAnOutage_NeitherStopsOthersNorKeepsTheRunOpen(
        FailureKind kind, int first, int bad, int concurrency)
    {
        await using var manager = new RequestManager<string>(
            Failing(kind, row => row >= first && row < first + bad),
            OnManualClock(o => { o.Concurrency = concurrency; o.MaxThrottleWait = TimeSpan.FromDays(7); o.Timeout = Timeout.InfiniteTimeSpan; }));

        List<ResponseWrapper<string>> outcomes = await RunClockAsync(EndAsync(manager, AskMany(200)));

        Assert.Equal(200 - bad, outcomes.Count(outcome => outcome.IsSuccess));
        Assert.Equal(bad, outcomes.Count(outcome => outcome.Error?.Kind == kind));
    }

    [Fact]
    public async Task RowsOfAModelThatIsThrottledForMinutes_AreAnswered_IfAnotherModelIsMeanwhile()
    {
        var provider = new ScriptedProvider((request, _, _) => request.Model == "busy" && Time.Elapsed < TimeSpan.FromMinutes(9)
            ? throw new LlmException(FailureKind.RateLimited, "429") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => (o.Concurrency, o.Timeout) = (20, Timeout.InfiniteTimeSpan)));

        List<ResponseWrapper<string>> outcomes = await RunClockAsync(EndAsync(
            manager, [.. AskMany(40).Select((request, i) => request with { Model = i < 15 ? "busy" : "idle" })]));

        Assert.All(outcomes, static outcome => Assert.True(outcome.IsSuccess, outcome.Error?.ToString()));
    }

    [Theory]
    [InlineData(0, 97)]
    [InlineData(30, 250)]
    public async Task BadRowsAtTheStart_WithSomeAtTheEnd_StopNoOthers(int seed, int every)
    {
        var random = new Random(seed);
        await using var manager = new RequestManager<string>(
            Failing(FailureKind.InvalidRequest, row => row < 40 || row % every == 0 || row >= 298), Quick(o => { o.Concurrency = 20; o.Jitter = () => { lock (random) { return random.NextDouble(); } }; }));

        Assert.Equal(260 - 2 - Enumerable.Range(40, 258).Count(row => row % every == 0), (await EndAsync(manager, AskMany(300))).Count(outcome => outcome.IsSuccess));
    }

    [Theory]
    [InlineData("html and empty")]
    [InlineData("letters")]
    [InlineData("413")]
    [InlineData("too long")]
    public async Task AllRows_FailForMixedReasons_StopTheRunEarly(string how)
    {
        var provider = new ScriptedProvider((request, _, _) => throw (how switch
        {
            "html and empty" => new LlmException(NumberOf(request) % 2 == 0 ? FailureKind.InvalidResponse : FailureKind.IncompleteResponse, "no"),
            "letters" => new LlmException(FailureKind.InvalidRequest, "no, " + (char)('a' + (NumberOf(request) % 26))),
            "413" => new LlmException(FailureKind.RequestTooLarge, "413"),
            _ => new LlmException(FailureKind.ContextLength, "too long"),
        }));
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => (o.Concurrency, o.RetryDelay, o.Timeout) = (20, TimeSpan.Zero, Timeout.InfiniteTimeSpan)));

        // The retries may be more than their budget holds: then they wait.
        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunClockAsync(EndAsync(manager, AskMany(3000))));

        Assert.Contains("The first 1", stopped.Message, StringComparison.Ordinal);
        Assert.InRange(provider.Sends, SharedFailureDetector.EnoughOfAny, 4 * SharedFailureDetector.EnoughOfAny);
    }

    [Fact]
    public async Task Outage_AtTheEnd_IsWaitedFor()
    {
        var sends = 0;
        var provider = new ScriptedProvider((_, _, _) => Interlocked.Increment(ref sends) > 5 && Time.Elapsed < TimeSpan.FromHours(2)
            ? throw new LlmException(FailureKind.Overloaded, "503") : Task.FromResult("fine"));
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => { o.Concurrency = 1; o.MaxThrottleWait = TimeSpan.FromHours(12); o.Timeout = Timeout.InfiniteTimeSpan; }));

        Assert.All(await RunClockAsync(EndAsync(manager, AskMany(20))), outcome => Assert.True(outcome.IsSuccess));
    }

    [Theory]
    [InlineData(1, false, 5)]
    [InlineData(1, true, 60)]
    [InlineData(3, true, 0)]
    public async Task SourceThatWaits_AfterNothingButRefusals_DoesNotKeepTheRunOpen(int rows, bool isFedFreely, int seconds)
    {
        var source = Channel.CreateUnbounded<LlmRequest>();
        Assert.All(AskMany(rows), row => source.Writer.TryWrite(row));
        await using var manager = new RequestManager<string>(
            Failing(FailureKind.Authentication, static _ => true), OnManualClock(o => o.Timeout = Timeout.InfiniteTimeSpan));
        StreamRun<string> run = manager.Open(
            source.Reader.ReadAllAsync(Ended), new RunSettings { HoldsSuspects = true, IsFedFreely = isFedFreely }, Ended);

        LlmRunException stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunClockAsync(run.Outcomes.ToListAsync(Ended).AsTask()));

        Assert.Equal(FailureKind.Authentication, stopped.Kind);
        Assert.InRange(Time.Elapsed, TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(seconds + 5));
    }

    [Theory]
    [InlineData(FailureKind.Authentication)]
    [InlineData(FailureKind.QuotaExhausted)]
    [InlineData(FailureKind.ModelNotFound)]
    public async Task BadFirstRow_OfASlowSource_DoesNotStopTheOthers(FailureKind kind)
    {
        var source = Channel.CreateUnbounded<LlmRequest>();
        source.Writer.TryWrite(Ask(0));
        Time.CreateTimer(
            _ =>
            {
                Assert.All(AskMany(20).Skip(1), row => source.Writer.TryWrite(row));
                source.Writer.Complete();
            },
            null,
            TimeSpan.FromSeconds(50),
            Timeout.InfiniteTimeSpan);
        await using var manager = new RequestManager<string>(
            Failing(kind, static row => row == 0), OnManualClock(o => o.Timeout = Timeout.InfiniteTimeSpan));
        StreamRun<string> run = manager.Open(
            source.Reader.ReadAllAsync(Ended), new RunSettings { HoldsSuspects = true, IsFedFreely = true }, Ended);

        List<ResponseWrapper<string>> outcomes = await RunClockAsync(run.Outcomes.ToListAsync(Ended).AsTask());

        Assert.Equal(19, outcomes.Count(outcome => outcome.IsSuccess));
        Assert.Equal(kind, Assert.Single(outcomes, outcome => !outcome.IsSuccess).Error!.Kind);
    }

    private static ScriptedProvider Failing(FailureKind kind, Func<int, bool> isBad) => new((request, _, _) =>
        isBad(NumberOf(request)) ? throw new LlmException(kind, "no") : Task.FromResult("fine"));

    private static int NumberOf(LlmRequest request) =>
        int.Parse(request.Messages[0].Content!.ToString().Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);

    private static async Task<List<ResponseWrapper<string>>> EndAsync(
        RequestManager<string> manager, LlmRequest[] rows, List<ResponseWrapper<string>>? outcomes = null)
    {
        outcomes ??= [];
        StreamRun<string> run = manager.Open(rows.ToAsyncEnumerable(), new RunSettings { HoldsSuspects = true }, Ended);
        await foreach (ResponseWrapper<string> outcome in run.Outcomes)
        {
            outcomes.Add(outcome);
        }

        return outcomes;
    }
}
