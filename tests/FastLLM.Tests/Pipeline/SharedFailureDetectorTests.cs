using FastLLM.Pipeline;
using FastLLM.Retries;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>When failures are shared by all, a model's, or a row's own, and what that means for sends that are held.</summary>
public sealed class SharedFailureDetectorTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly SharedFailureDetector _detector;
    private readonly Queue<double> _lots = new();
    private long _started;

    public SharedFailureDetectorTests() => _detector = new SharedFailureDetector(
        stopsIfAlike: true, _time, () => _lots.TryDequeue(out double lot) ? lot : 0.5, static now => now());

    [Fact]
    public void TenEqualRefusals_WhenProbesFailToo_StopTheRun()
    {
        List<Suspicion?> rows = [.. Enumerable.Range(0, 10).Select(_ => Fail(Refusal()))];
        HeldSend[] held = [.. Enumerable.Range(0, 5).Select(_ => Hold())];
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.Equal([false, false, true, true, true], held.Select(one => one.Released.IsCompleted));

        LlmException? cause = null;
        foreach (HeldSend probe in held[2..])
        {
            Assert.Null(cause);
            HeldSend? own = probe;
            Assert.True(_detector.TryBegin(null, "m", _started++, ref own, out long ticket));
            rows.Add(_detector.Failed(null, "m", Refusal(), ticket, isFinal: true));
            cause = _detector.Returned(ticket, own, hasMore: true);
        }

        Assert.Equal((FailureKind.InvalidRequest, FailureScope.Run), (cause?.Kind, cause?.FailureScope));
        Assert.All(rows, row => Assert.True(row!.IsOpen));
        Assert.False(held[0].Released.IsCompleted);
        _detector.End(FailureScope.Run);
        Assert.True(held[0].Released.IsCompleted);
        Assert.All(rows, row => Assert.Equal(FailureScope.Run, row!.Scope));
    }

    [Fact]
    public void TenEqualRefusals_WhenAProbeIsAnswered_FailOnTheirOwn()
    {
        Suspicion? row = FailMany(10);
        HeldSend? first = Hold(), last = Hold();
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.True(_detector.TryBegin(null, "m", _started++, ref last, out long ticket));

        _detector.Answered("m", ticket);

        Assert.True(first!.Released.IsCompleted);
        Assert.Equal(FailureScope.Request, row!.Scope);
        Assert.Null(_detector.Returned(ticket, last, hasMore: true));
    }

    [Fact]
    public void TenEqualRefusals_HoldSendsUntilTheLastInFlightReturns()
    {
        long slow = Begin();
        Suspicion? row = FailMany(10);
        HeldSend held = Hold();

        _detector.Answered("m", slow);

        Assert.True(held.Released.IsCompleted);
        Assert.Equal(FailureScope.Request, row!.Scope);
        Assert.Null(_detector.Returned(slow, null, hasMore: true));
    }

    [Fact]
    public void TenEqualRefusals_WithNothingLeft_HoldNoSend()
    {
        for (var i = 0; i < 10; i++)
        {
            Fail(Refusal(), hasMore: false);
        }

        HeldSend? held = null;
        Assert.True(_detector.TryBegin(null, "m", _started++, ref held, out _));
    }

    [Fact]
    public void FailuresThatAreRetried_HoldTheOthersUntilTheFirstTenHaveFailedForGood()
    {
        long[] tickets = [.. Enumerable.Range(0, 12).Select(_ => Begin())];
        Suspicion?[] rows = [.. tickets.Select(sent =>
        {
            Suspicion? row = _detector.Failed(null, "m", Html(), sent, isFinal: false);
            Assert.Null(_detector.Returned(sent, null, hasMore: true));
            return row;
        })];
        HeldSend held = Hold(rows[10]);

        for (var i = 0; i < 10; i++)
        {
            _time.Advance(ProbeRound.ReadAheadTime);
            Assert.False(held.Released.IsCompleted);
            HeldSend? none = null;
            Assert.True(_detector.TryBegin(rows[i], "m", _started++, ref none, out long ticket));
            _detector.Failed(rows[i], "m", Html(), ticket, isFinal: true);
            Assert.Null(_detector.Returned(ticket, none, hasMore: true));
        }

        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.True(held.Released.IsCompleted);
    }

    [Fact]
    public void Probe_ThatIsNotSentAfterAll_DoesNotHoldUpTheDecision()
    {
        FailMany(10);
        HeldSend held = Hold();
        _time.Advance(ProbeRound.ReadAheadTime);

        Assert.NotNull(_detector.Returned(0, held, hasMore: true));
    }

    [Fact]
    public void HeldRequest_ThatLeaves_IsNoProbe()
    {
        FailMany(10);
        HeldSend first = Hold(), last = Hold();
        Assert.Null(_detector.Returned(0, last, hasMore: true));

        _time.Advance(ProbeRound.ReadAheadTime);

        Assert.Equal((true, false), (first.Released.IsCompleted, last.Released.IsCompleted));
    }

    [Theory]
    [InlineData(true, 4, 4)]
    [InlineData(true, 60, 17)]
    [InlineData(false, 60, 60)] // a busy machine reads slowly what is there
    public void Rows_ThatComeOneAfterTheOther_AreReadOn_ForFiveSecondsAtMost(bool awaitsRows, int rows, int read)
    {
        _detector.AwaitsRows = () => awaitsRows;
        FailMany(10);
        _time.Advance(ProbeRound.ReadAheadTime - ProbeRound.PauseOfSource);
        List<HeldSend> held = [];
        for (var i = 0; i < rows && !held.Exists(static one => one.Released.IsCompleted); i++)
        {
            held.Add(Hold());
            _time.Advance(ProbeRound.PauseOfSource);
        }

        _time.Advance(ProbeRound.PauseOfSource);
        Assert.True(held[^1].Released.IsCompleted);
        Assert.Equal(read, held.Count);
    }

    [Fact]
    public void Probes_AreTheLastRowAndOthersThatAreDrawn()
    {
        FailMany(10);
        foreach (double lot in (double[])[0.4, 0.1, 0.8, 0.2, 0.9, 0.7])
        {
            _lots.Enqueue(lot);
        }

        HeldSend[] held = [.. Enumerable.Range(0, 6).Select(_ => Hold())];
        _time.Advance(ProbeRound.ReadAheadTime);

        Assert.Equal([1, 3, 5], Enumerable.Range(0, 6).Where(i => held[i].Released.IsCompleted));
    }

    [Theory]
    [InlineData(FailureKind.ContextLength)]
    [InlineData(FailureKind.InvalidRequest)]
    [InlineData(FailureKind.PermissionDenied)]
    public void AnotherFailure_LetsTheCountOfEqualOnesStartAgain(FailureKind other)
    {
        FailMany(9);
        Fail(new LlmException(other, "another") { StatusCode = 400 });
        FailMany(9);

        HeldSend? held = null;
        Assert.True(_detector.TryBegin(null, "n", _started++, ref held, out long ticket));
        _detector.Failed(null, "n", Refusal(), ticket, isFinal: true);

        Assert.False(_detector.TryBegin(null, "n", _started++, ref held, out _));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void HundredRows_FailForDifferentReasons_StopTheRun_UnlessAProbeIsAnswered(bool isAnswered)
    {
        FailureKind[] kinds = [FailureKind.InvalidResponse, FailureKind.ContextLength, FailureKind.ServerError, FailureKind.IncompleteResponse];
        List<Suspicion?> rows = [];
        for (var i = 0; i < SharedFailureDetector.EnoughOfAny; i++)
        {
            rows.Add(Fail(new LlmException(kinds[i % kinds.Length], "no")));
        }

        HeldSend? probe = Hold();
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.True(_detector.TryBegin(null, "m", _started++, ref probe, out long ticket));
        if (isAnswered)
        {
            _detector.Answered("m", ticket);
        }
        else
        {
            _detector.Failed(null, "m", new LlmException(FailureKind.RequestTooLarge, "413"), ticket, isFinal: true);
        }

        LlmException? cause = _detector.Returned(ticket, probe, hasMore: true);

        Assert.Equal(isAnswered ? null : FailureKind.InvalidResponse, cause?.Kind);
        Assert.All(rows, row => Assert.Equal(isAnswered ? FailureScope.Request : null, row!.Scope));
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public void UnreadableResponses_AfterAnswers_AreContradictedByLaterSendsOnly(bool isLater, bool holds)
    {
        Answer();
        long earlier = Begin();
        for (var i = 0; i < SharedFailureDetector.EnoughUnreadable - 1; i++)
        {
            Fail(Html());
        }

        _detector.Answered("m", isLater ? Begin() : earlier);
        Fail(Html());

        HeldSend? held = null;
        Assert.Equal(!holds, _detector.TryBegin(null, "m", _started++, ref held, out _));
    }

    [Theory]
    [InlineData(false, true)] // the answer was under way: it says nothing of the file
    [InlineData(true, false)] // such rows are the file's: it takes ten times as many
    public void UnreadableResponses_AfterAnswers_NeedMore_WhereTheyWereTheRowsOwn(bool isLater, bool holds)
    {
        Answer();
        long[] inFlight = [.. Enumerable.Range(0, 31).Select(_ => Begin())];
        foreach (long ticket in inFlight[..30])
        {
            _detector.Failed(null, "m", Html(), ticket, isFinal: true);
            _detector.Returned(ticket, null, hasMore: true);
        }

        _detector.Answered("m", isLater ? Begin() : inFlight[^1]);
        for (var i = 0; i < SharedFailureDetector.EnoughUnreadable; i++)
        {
            Fail(Html());
        }

        HeldSend? held = null;
        Assert.Equal(!holds, _detector.TryBegin(null, "m", _started++, ref held, out _));
    }

    [Theory]
    [InlineData(FailureKind.Authentication)]
    [InlineData(FailureKind.PermissionDenied)]
    [InlineData(FailureKind.InvalidResponse)]
    public void RowsThatFailBesideSendsUnderWay_StayUndecided_ThoughThoseAreAnswered(FailureKind kind)
    {
        Answer();
        long failed = Begin(), underWay = Begin();
        Suspicion row = _detector.Failed(null, "m", new LlmException(kind, "no"), failed, isFinal: true)!;
        _detector.Returned(failed, null, hasMore: true);
        _detector.Answered("m", underWay);
        Assert.True(row.IsOpen);

        Answer();

        Assert.Equal(FailureScope.Request, row.Scope);
    }

    [Theory]
    [InlineData(FailureKind.PermissionDenied)]
    [InlineData(FailureKind.DailyLimit)]
    public void ClosedModel_OfWhichRowsFailedOnTheirOwnBefore_StopsTheRunAtItsEnd(FailureKind kind)
    {
        Answer();
        for (var i = 0; i < 4; i++)
        {
            Fail(new LlmException(kind, "no"));
        }

        Answer();
        for (var i = 0; i < 40; i++)
        {
            Fail(new LlmException(kind, "no"));
        }

        HeldSend? probe = Hold();
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.True(_detector.TryBegin(null, "m", _started++, ref probe, out long ticket));
        _detector.Failed(null, "m", new LlmException(kind, "no"), ticket, isFinal: true);
        Assert.Null(_detector.Returned(ticket, probe, hasMore: true));
        Assert.NotNull(_detector.Refusal("m", out Suspicion? skipped));

        Assert.Equal(kind, _detector.DecideNow()?.Kind);
        Assert.True(skipped!.IsOpen);
    }

    [Fact]
    public void AnswersThatAreAllRejected_StopTheRun_ThoughTheKeyIsGood()
    {
        Suspicion? key = Fail(new LlmException(FailureKind.Authentication, "401"));
        for (var i = 0; i < 10; i++)
        {
            long sent = Begin();
            Reject(sent);
            Assert.Null(_detector.Returned(sent, null, hasMore: true));
        }

        Assert.Equal(FailureScope.Request, key!.Scope);
        HeldSend? probe = Hold();
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.True(_detector.TryBegin(null, "m", _started++, ref probe, out long ticket));
        Reject(ticket);

        Assert.Equal(FailureKind.InvalidAnswer, _detector.Returned(ticket, probe, hasMore: true)?.Kind);

        void Reject(long sent)
        {
            _detector.Answered("m", sent, isGood: false);
            _detector.Failed(null, "m", new LlmException(FailureKind.InvalidAnswer, $"\"word {sent}\" is no label"), sent, isFinal: true);
        }
    }

    [Theory]
    [InlineData(false, null)]
    [InlineData(true, FailureScope.Request)]
    public void Answer_OfASendThatBeganLater_ShowsThatTheRowFailedByItself(bool isLater, object? scope)
    {
        Answer();
        long earlier = Begin();
        Suspicion? row = Fail(new LlmException(FailureKind.Authentication, "401"));
        long later = Begin();

        _detector.Answered("m", isLater ? later : earlier);

        Assert.Equal(scope, row!.Scope);
    }

    [Fact]
    public void Key_RefusedForTenRowsInARow_StopsTheRunWhenNothingIsInFlight()
    {
        Answer();
        long slow = Begin();
        for (var i = 0; i < 10; i++)
        {
            Fail(new LlmException(FailureKind.Authentication, "401"));
        }

        _detector.Answered("m", slow);

        Assert.Equal(FailureKind.Authentication, _detector.Returned(slow, null, hasMore: false)?.Kind);
    }

    [Theory]
    [InlineData(FailureKind.Authentication, "have failed for the same reason")]
    [InlineData(FailureKind.QuotaExhausted, "have failed, and none has been answered since. The first failure: 401")]
    public void Account_RefusedForSeveralReasons_IsNotSaidToBeForTheSame(FailureKind other, string says)
    {
        Answer();
        long slow = Begin();
        for (var i = 0; i < 10; i++)
        {
            Fail(i % 2 == 0 ? new LlmException(FailureKind.Authentication, "401") : new LlmException(other, "no"));
        }

        _detector.Answered("m", slow);

        Assert.Contains(says, _detector.Returned(slow, null, hasMore: false)!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(FailureKind.Authentication, false)]
    [InlineData(FailureKind.Authentication, true)]
    [InlineData(FailureKind.QuotaExhausted, false)]
    [InlineData(FailureKind.QuotaExhausted, true)]
    public void Account_RefusedForTheFirstRows_StopsTheRun_OnlyWhenProbesFailToo(FailureKind kind, bool isAnswered)
    {
        var failure = new LlmException(kind, "no");
        int enough = kind == FailureKind.Authentication ? SharedFailureDetector.EnoughOfKey : SharedFailureDetector.Enough;
        List<Suspicion?> rows = [.. Enumerable.Range(0, enough).Select(_ => Fail(failure))];
        HeldSend[] held = [.. Enumerable.Range(0, 5).Select(_ => Hold())];
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.Equal([false, false, true, true, true], held.Select(one => one.Released.IsCompleted));

        LlmException? cause = null;
        foreach (HeldSend probe in held[2..])
        {
            Assert.Null(cause);
            HeldSend? own = probe;
            Assert.True(_detector.TryBegin(null, "m", _started++, ref own, out long ticket));
            if (isAnswered)
            {
                _detector.Answered("m", ticket);
            }
            else
            {
                rows.Add(_detector.Failed(null, "m", failure, ticket, isFinal: false));
            }

            cause = _detector.Returned(ticket, own, hasMore: true);
        }

        Assert.Equal(isAnswered ? null : kind, cause?.Kind);
        Assert.All(rows, row => Assert.Equal(isAnswered ? FailureScope.Request : null, row!.Scope));
        Assert.Equal(isAnswered, held[0].Released.IsCompleted);
    }

    [Fact]
    public void Account_Refused_ProbesAreOfSeveralModels()
    {
        for (var i = 0; i < SharedFailureDetector.EnoughOfKey; i++)
        {
            Fail(new LlmException(FailureKind.Authentication, "401"), "b");
        }

        HeldSend[] held = [.. Enumerable.Range(0, 10).Select(i => Hold(model: i < 2 ? "a" : "b"))];
        _time.Advance(ProbeRound.ReadAheadTime);

        Assert.Equal([1, 8, 9], Enumerable.Range(0, 10).Where(i => held[i].Released.IsCompleted));
    }

    [Fact]
    public void Account_Refused_ReadsAheadLonger_WhileOnlyRowsThatFailedAreHeld()
    {
        Suspicion? last = null;
        for (var i = 0; i < SharedFailureDetector.EnoughOfKey; i++)
        {
            last = Fail(new LlmException(FailureKind.Authentication, "401"), isFinal: false);
        }

        HeldSend failed = Hold(last);
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.False(failed.Released.IsCompleted);
        _time.Advance(ProbeRound.ReadAheadTime);

        // No other row has come.
        Assert.True(failed.Released.IsCompleted);
    }

    [Theory]
    [InlineData(FailureKind.ModelNotFound)]
    [InlineData(FailureKind.PermissionDenied)]
    public void Model_RefusedAfterAnotherWasAnswered_FailsItsRows(FailureKind kind)
    {
        Answer();
        List<Suspicion?> rows = [.. Enumerable.Range(0, 10).Select(_ => Fail(new LlmException(kind, "no"), "b", hasMore: false))];

        Assert.Null(_detector.DecideNow());
        Assert.All(rows, row => Assert.Equal(FailureScope.Request, row!.Scope));
    }

    [Theory]
    [InlineData(FailureKind.PermissionDenied)]
    [InlineData(FailureKind.ModelNotFound)]
    public void Models_AllRefusedAfterAnswers_StopTheRun(FailureKind kind)
    {
        Answer();
        long inFlight = Begin();
        Suspicion?[] rows = [.. Enumerable.Range(0, 20).Select(i => Fail(new LlmException(kind, "no"), i % 2 == 0 ? "m" : "b"))];
        _detector.Answered("m", inFlight);
        Assert.Null(_detector.Returned(inFlight, null, hasMore: false));

        Assert.Equal(kind, _detector.DecideNow()?.Kind);
        Assert.All(rows, row => Assert.True(row!.IsOpen));
    }

    [Theory]
    [InlineData(FailureKind.Authentication)]
    [InlineData(FailureKind.PermissionDenied)]
    public void Source_WithoutARow_IsAwaited_OnceOthersWereAnswered(FailureKind kind)
    {
        _detector.AwaitsRows = static () => true;
        Answer();
        for (var i = 0; i < 10; i++)
        {
            Fail(new LlmException(kind, "no"));
        }

        HeldSend block = Hold();
        for (var i = 0; i < 100; i++)
        {
            _time.Advance(ProbeRound.ReadAheadTime);
            Assert.Null(_detector.DecideNow(Patience.IfAnswered));
            Assert.False(block.Released.IsCompleted);
        }

        HeldSend? next = Hold();
        _time.Advance(ProbeRound.ReadAheadTime);
        _time.Advance(ProbeRound.ReadAheadTime);

        Assert.True(next.Released.IsCompleted);
        Assert.True(_detector.TryBegin(null, "m", _started++, ref next, out long ticket));
        _detector.Answered("m", ticket);
        Assert.False(_detector.IsHolding);
    }

    [Fact]
    public void RowsOfAModel_AreReadOn_WhileOtherRowsFollow_ForTenSeconds()
    {
        var mayRead = true;
        _detector.MayReadMore = () => mayRead;
        Answer();
        FailMany(10, NoModel, "missing");
        HeldSend block = Hold(model: "missing");

        _time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(block.Released.IsCompleted);
        mayRead = false;
        _time.Advance(ProbeRound.ReadAheadTime);

        Assert.True(block.Released.IsCompleted);
    }

    [Theory]
    [InlineData(FailureKind.Authentication)]
    [InlineData(FailureKind.QuotaExhausted)]
    [InlineData(FailureKind.PermissionDenied)]
    [InlineData(FailureKind.ModelNotFound)]
    public void AnyNumberOfFailures_IsBorne_IfTheUserSaysSo_OnceOthersWereAnswered(FailureKind kind)
    {
        var detector = new SharedFailureDetector(stopsIfAlike: false, _time) { WasAnswered = true };
        HeldSend? held = null;
        for (var i = 0; i < 50; i++)
        {
            Assert.True(detector.TryBegin(null, "m", _started++, ref held, out long ticket));
            detector.Failed(null, "m", new LlmException(kind, "no"), ticket, isFinal: true);
            Assert.Null(detector.Returned(ticket, held, hasMore: true));
        }

        Assert.Null(detector.DecideNow());
        Assert.Null(detector.Refusal("m", out _));
    }

    [Fact]
    public void RefusedKey_BeforeAnyAnswer_IsNotBorne()
    {
        var detector = new SharedFailureDetector(stopsIfAlike: false, _time);
        HeldSend? held = null;
        for (var i = 0; i < SharedFailureDetector.EnoughOfKey; i++)
        {
            Assert.True(detector.TryBegin(null, "m", _started++, ref held, out long ticket));
            detector.Failed(null, "m", new LlmException(FailureKind.Authentication, "401"), ticket, isFinal: true);
            Assert.Null(detector.Returned(ticket, held, hasMore: true));
        }

        Assert.False(detector.TryBegin(null, "m", _started++, ref held, out _));
    }

    [Fact]
    public void Model_NotFoundForTenRows_IsClosed_AndItsRowsFailWhenAnotherModelIsAnswered()
    {
        for (var i = 0; i < 10; i++)
        {
            Assert.Null(_detector.Refusal("missing", out _));
            Fail(NoModel(), "missing");
        }

        HeldSend? probe = Hold(model: "missing");
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.True(_detector.TryBegin(null, "missing", _started++, ref probe, out long ticket));
        _detector.Failed(null, "missing", NoModel(), ticket, isFinal: true);
        Assert.Null(_detector.Returned(ticket, probe, hasMore: true));
        LlmException? refusal = _detector.Refusal("missing", out Suspicion? skipped);
        Assert.Equal((FailureKind.ModelNotFound, true), (refusal?.Kind, skipped!.IsOpen));
        Assert.Null(_detector.Refusal("m", out _));

        Answer();

        Assert.Equal(FailureScope.Request, skipped.Scope);
        Assert.NotNull(_detector.Refusal("missing", out Suspicion? later));
        Assert.Equal(FailureScope.Request, later!.Scope);
    }

    [Fact]
    public void Model_NotFoundForTenRows_HoldsNoRowsOfOtherModels_AndAwaitsWhatBeganBefore()
    {
        long slow = Begin("missing");
        for (var i = 0; i < 10; i++)
        {
            Fail(NoModel(), "missing");
        }

        // Others are sent and answered all the time, and are not waited for.
        HeldSend? probe = Hold(model: "missing");
        long other = Begin();
        _detector.Answered("m", other);
        Assert.Null(_detector.Returned(other, null, hasMore: true));
        other = Begin();
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.False(probe.Released.IsCompleted);

        _detector.Failed(null, "missing", NoModel(), slow, isFinal: true);
        Assert.Null(_detector.Returned(slow, null, hasMore: true));
        _time.Advance(ProbeRound.ReadAheadTime);
        Assert.False(probe.Released.IsCompleted); // rows from further on are read meanwhile
        HeldSend? later = Hold(model: "missing");
        _time.Advance(ProbeRound.ReadAheadTime);
        foreach (HeldSend held in (HeldSend[])[probe, later])
        {
            Assert.True(held.Released.IsCompleted);
            HeldSend? own = held;
            Assert.True(_detector.TryBegin(null, "missing", _started++, ref own, out long ticket));
            _detector.Failed(null, "missing", NoModel(), ticket, isFinal: true);
            Assert.Null(_detector.Returned(ticket, own, hasMore: true));
        }

        Assert.Equal(FailureKind.ModelNotFound, _detector.Refusal("missing", out _)?.Kind);
        Assert.Null(_detector.Returned(other, null, hasMore: true));
    }

    [Fact]
    public void Model_AnsweredNowAndThen_IsNotClosed()
    {
        for (var i = 0; i < 50; i++)
        {
            Fail(NoModel(), "m");
            if (i % 9 == 8)
            {
                Answer();
            }
        }

        Assert.Null(_detector.Refusal("m", out _));
    }

    [Theory]
    [InlineData(FailureKind.Authentication, 1, false, true)]
    [InlineData(FailureKind.Authentication, 9, true, false)]
    [InlineData(FailureKind.ModelNotFound, 1, false, true)]
    [InlineData(FailureKind.ModelNotFound, 9, true, false)]
    [InlineData(FailureKind.InvalidRequest, 9, false, false)]
    public void AtTheEnd_FewerThanTenRows_FailByThemselves_UnlessNothingWasAnswered(FailureKind kind, int rows, bool anyAnswer, bool stops)
    {
        if (anyAnswer)
        {
            Answer();
        }

        Suspicion?[] suspected = [.. Enumerable.Range(0, rows).Select(_ => kind == FailureKind.Authentication && rows > 2 && !anyAnswer ? null : Fail(new LlmException(kind, "no") { StatusCode = 400 }))];

        LlmException? cause = _detector.DecideNow();

        Assert.Equal(stops ? kind : null, cause?.Kind);
        Assert.All(suspected, row => Assert.Equal(stops ? null : FailureScope.Request, row!.Scope));
    }

    [Theory]
    [InlineData(FailureKind.ConnectionRefused, 59, false)]
    [InlineData(FailureKind.ConnectionRefused, 60, true)]
    [InlineData(FailureKind.Overloaded, 60, false)]
    [InlineData(FailureKind.Overloaded, 600, true)]
    public void OutageFromTheStart_StopsTheRun_WhenItLasts(FailureKind kind, int seconds, bool stops)
    {
        for (var i = 0; i < 9; i++)
        {
            Fail(new LlmException(kind, "down"), isFinal: false);
        }

        _time.Advance(TimeSpan.FromSeconds(seconds));
        long ticket = Begin();
        _detector.Failed(null, "m", new LlmException(kind, "down"), ticket, isFinal: false);

        Assert.Equal(stops, _detector.Returned(ticket, null, hasMore: true) is not null);
    }

    [Fact]
    public void RowsThatEndedBeforeTheDecision_AreCountedAfterIt()
    {
        Suspicion? row = Fail(Refusal());

        Assert.Null(_detector.IsOwn(row!));
        Assert.Equal(0, _detector.TakeLate());
        Answer();

        Assert.Equal((1, 0), (_detector.TakeLate(), _detector.TakeLate()));
        Assert.True(_detector.IsOwn(row!));
    }

    [Fact]
    public void ManyThreads_NothingIsSentWhileSendsAreHeld()
    {
        const int Threads = 8;
        for (var round = 0; round < 500; round++)
        {
            var detector = new SharedFailureDetector(stopsIfAlike: true, _time);
            var sends = 0;
            Parallel.For(0, Threads, new ParallelOptions { MaxDegreeOfParallelism = Threads }, _ =>
            {
                HeldSend? held = null;
                while (detector.TryBegin(null, "m", 0, ref held, out long ticket))
                {
                    Interlocked.Increment(ref sends);
                    detector.Failed(null, "m", Refusal(), ticket, isFinal: true);
                    detector.Returned(ticket, held, hasMore: true);
                }
            });

            Assert.InRange(sends, SharedFailureDetector.Enough, SharedFailureDetector.Enough + Threads - 1);
            detector.End(FailureScope.Run);
        }
    }

    /// <summary>Whatever the order of begins, failures and answers: nothing is held for ever.</summary>
    [Fact]
    public void AnyOrder_HeldSendsAreReleasedOrTheRunStops()
    {
        for (var seed = 0; seed < 1000; seed++)
        {
            var random = new Random(seed);
            var detector = new SharedFailureDetector(stopsIfAlike: true, _time, later: static now => now());
            List<SimulatedRow> sending = [], waiting = [], held = [];
            double bad = random.NextDouble();
            LlmException failure = AnyFailure();
            bool isMixed = random.Next(3) == 0;
            int left = random.Next(1, 200), slots = random.Next(1, 20);
            LlmException? cause = null;
            while (cause is null && (left > 0 || sending.Count + waiting.Count + held.Count > 0))
            {
                waiting.AddRange(held.Where(row => row.Held!.Released.IsCompleted));
                held.RemoveAll(row => row.Held!.Released.IsCompleted);
                bool mayTake = left > 0 && sending.Count < slots && held.Count < 50;
                if (sending.Count > 0 && (random.Next(2) == 0 || (!mayTake && waiting.Count == 0)))
                {
                    SimulatedRow row = sending[random.Next(sending.Count)];
                    sending.Remove(row);
                    if (random.NextDouble() < bad)
                    {
                        bool isFinal = row.Suspicion is not null || random.Next(2) == 0;
                        row.Suspicion = detector.Failed(row.Suspicion, row.Model, isMixed ? AnyFailure() : failure, row.Ticket, isFinal);
                        waiting.AddRange(isFinal ? [] : [row]);
                    }
                    else
                    {
                        detector.Answered(row.Model, row.Ticket);
                        Assert.True(row.Suspicion is not { IsOpen: true, Domain: FailureDomain.Alike });
                    }

                    cause = detector.Returned(row.Ticket, row.Held, left > 0);
                    row.Held = null;
                }
                else if (mayTake || waiting.Count > 0)
                {
                    SimulatedRow row = waiting.Count > 0 && (!mayTake || random.Next(2) == 0) ? waiting[0] : new SimulatedRow { Model = random.Next(2) == 0 ? "a" : "b" };
                    left -= waiting.Remove(row) ? 0 : 1;
                    HeldSend? own = row.Held;
                    if (random.Next(50) == 0 || detector.Refusal(row.Model, out _) is not null)
                    {
                        if (row.Suspicion is { } suspicion)
                        {
                            detector.Ended(suspicion);
                        }

                        cause = detector.Returned(0, own, left > 0);
                    }
                    else if (detector.TryBegin(row.Suspicion, row.Model, _started++, ref own, out row.Ticket))
                    {
                        row.Held = own;
                        sending.Add(row);
                    }
                    else
                    {
                        row.Held = own;
                        held.Add(row);
                    }
                }
                else
                {
                    // Nothing moves but the clock.
                    _time.Advance(ProbeRound.ReadAheadTime);
                    Assert.True(held.Exists(row => row.Held!.Released.IsCompleted), $"seed {seed}: {held.Count} requests are held for ever");
                }
            }

            detector.End(FailureScope.Request);

            LlmException AnyFailure() => random.Next(5) switch
            {
                0 => Refusal(),
                1 => Html(),
                2 => NoModel(),
                3 => new LlmException(FailureKind.ContextLength, "too long"),
                _ => new LlmException(FailureKind.QuotaExhausted, "402"),
            };
        }
    }

    private long Begin(string model = "m")
    {
        HeldSend? held = null;
        Assert.True(_detector.TryBegin(null, model, _started++, ref held, out long ticket));
        return ticket;
    }

    private HeldSend Hold(Suspicion? row = null, string model = "m")
    {
        HeldSend? held = null;
        Assert.False(_detector.TryBegin(row, model, _started++, ref held, out _));
        return held!;
    }

    private void Answer()
    {
        long ticket = Begin();
        _detector.Answered("m", ticket);
        Assert.Null(_detector.Returned(ticket, null, hasMore: true));
    }

    private Suspicion? FailMany(int rows, Func<LlmException>? failure = null, string model = "m")
    {
        Suspicion? row = null;
        for (var i = 0; i < rows; i++)
        {
            row = Fail(failure?.Invoke() ?? Refusal(), model);
        }

        return row;
    }

    private Suspicion? Fail(LlmException failure, string model = "m", bool isFinal = true, bool hasMore = true)
    {
        long ticket = Begin(model);
        Suspicion? row = _detector.Failed(null, model, failure, ticket, isFinal);
        Assert.Null(_detector.Returned(ticket, null, hasMore));
        return row;
    }

    private static LlmException Refusal() => new(FailureKind.InvalidRequest, "unknown parameter") { StatusCode = 400 };

    private static LlmException Html() => new(FailureKind.InvalidResponse, "HTML") { StatusCode = 200 };

    private static LlmException NoModel() => new(FailureKind.ModelNotFound, "no such model") { StatusCode = 404 };

    private sealed class SimulatedRow
    {
        public long Ticket;

        public required string Model { get; init; }

        public Suspicion? Suspicion { get; set; }

        public HeldSend? Held { get; set; }
    }
}
