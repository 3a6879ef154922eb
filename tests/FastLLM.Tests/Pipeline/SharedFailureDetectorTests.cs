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

    public SharedFailureDetectorTests() => _detector = new SharedFailureDetector(stopsIfAlike: true, _time);

    [Fact]
    public void TenEqualRefusals_WithRowsLeft_StopTheRun()
    {
        List<Suspicion?> rows = [.. Enumerable.Range(0, 9).Select(_ => Fail(Refusal()))];
        long ticket = Begin();
        rows.Add(_detector.Failed(null, "m", Refusal(), ticket, isFinal: true));

        LlmException? cause = _detector.Returned(hasMore: true);

        Assert.Equal((FailureKind.InvalidRequest, FailureScope.Run), (cause?.Kind, cause?.FailureScope));
        Assert.All(rows, row => Assert.True(row!.IsOpen));
        Assert.False(_detector.TryBegin(null, out _, out Task decision));
        _detector.End(FailureScope.Run);
        Assert.True(decision.IsCompleted);
        Assert.All(rows, row => Assert.Equal(FailureScope.Run, row!.Scope));
    }

    [Fact]
    public void TenEqualRefusals_HoldSendsUntilTheLastInFlightReturns()
    {
        long slow = Begin();
        Suspicion? row = FailMany(10);
        Assert.False(_detector.TryBegin(null, out _, out Task decision));

        _detector.Answered("m", slow);

        Assert.True(decision.IsCompleted);
        Assert.Equal(FailureScope.Request, row!.Scope);
        Assert.Null(_detector.Returned(hasMore: true));
    }

    [Fact]
    public void TenEqualRefusals_WithNothingLeft_HoldNoSend()
    {
        for (var i = 0; i < 10; i++)
        {
            Fail(Refusal(), hasMore: false);
        }

        Assert.True(_detector.TryBegin(null, out _, out _));
    }

    [Fact]
    public void FailuresThatAreRetried_HoldTheOthersUntilTheFirstTenHaveFailedForGood()
    {
        long[] tickets = [.. Enumerable.Range(0, 12).Select(_ => Begin())];
        Suspicion?[] rows = [.. tickets.Select(sent =>
        {
            Suspicion? row = _detector.Failed(null, "m", Html(), sent, isFinal: false);
            Assert.Null(_detector.Returned(hasMore: true));
            return row;
        })];

        Assert.True(_detector.TryBegin(rows[9], out long ticket, out _));
        Assert.False(_detector.TryBegin(rows[10], out _, out Task decision));
        _detector.Failed(rows[9], "m", Html(), ticket, isFinal: true);
        Assert.Null(_detector.Returned(hasMore: true));
        for (var i = 0; i < 9; i++)
        {
            Assert.True(_detector.TryBegin(rows[i], out ticket, out _));
            _detector.Failed(rows[i], "m", Html(), ticket, isFinal: true);
            Assert.Equal(i == 8, _detector.Returned(hasMore: true) is not null);
        }

        Assert.False(decision.IsCompleted);
    }

    [Fact]
    public void AnotherFailure_ClearsTheSuspects()
    {
        Suspicion? row = FailMany(9);

        Assert.Null(Fail(new LlmException(FailureKind.ContextLength, "too long") { StatusCode = 400 }));

        Assert.Equal(FailureScope.Request, row!.Scope);
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

        Assert.False(_detector.TryBegin(null, out _, out _));
        _detector.Answered("m", slow);

        Assert.Equal(FailureKind.Authentication, _detector.Returned(hasMore: false)?.Kind);
    }

    [Fact]
    public void Model_NotFoundForTenRows_IsClosed_AndItsRowsFailWhenAnotherModelIsAnswered()
    {
        for (var i = 0; i < 10; i++)
        {
            Assert.Null(_detector.Refusal("missing", out _));
            Fail(NoModel(), "missing");
        }

        LlmException? refusal = _detector.Refusal("missing", out Suspicion? skipped);
        Assert.Equal((FailureKind.ModelNotFound, true), (refusal?.Kind, skipped!.IsOpen));
        Assert.Null(_detector.Refusal("m", out _));

        Answer();

        Assert.Equal(FailureScope.Request, skipped.Scope);
        Assert.NotNull(_detector.Refusal("missing", out Suspicion? later));
        Assert.Equal(FailureScope.Request, later!.Scope);
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

        Assert.Equal(stops, _detector.Returned(hasMore: true) is not null);
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

    /// <summary>Any order of begins, failures and answers: nothing is held for ever, and no answer is overlooked.</summary>
    [Fact]
    public void AnyOrder_HeldSendsAreReleasedOrTheRunStops()
    {
        for (var seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            var detector = new SharedFailureDetector(stopsIfAlike: true, _time);
            List<(long Ticket, Suspicion? Row, string Model)> sending = [], backingOff = [];
            List<(Suspicion? Row, string Model, Task Decision)> held = [];
            double bad = random.NextDouble();
            LlmException failure = random.Next(4) switch { 0 => Refusal(), 1 => Html(), 2 => NoModel(), _ => new LlmException(FailureKind.QuotaExhausted, "402") };
            int left = 200;
            LlmException? cause = null;
            while (cause is null && (left > 0 || sending.Count + backingOff.Count + held.Count > 0))
            {
                foreach (var one in held.Where(one => one.Decision.IsCompleted).ToList())
                {
                    held.Remove(one);
                    backingOff.Add((0, one.Row, one.Model));
                }

                bool canBegin = (left > 0 && sending.Count + held.Count < 16) || backingOff.Count > 0;
                Assert.True(canBegin || sending.Count > 0, $"seed {seed}: {held.Count} are held, and nothing is in flight");
                if (canBegin && (sending.Count == 0 || random.Next(2) == 0))
                {
                    (long _, Suspicion? row, string model) = (0L, (Suspicion?)null, random.Next(2) == 0 ? "a" : "b");
                    if (backingOff.Count > 0 && (left == 0 || sending.Count + held.Count >= 16 || random.Next(2) == 0))
                    {
                        (_, row, model) = backingOff[0];
                        backingOff.RemoveAt(0);
                    }
                    else
                    {
                        left--;
                    }

                    if (detector.HasClosedModels && detector.Refusal(model, out _) is not null)
                    {
                        cause = detector.Skipped();
                    }
                    else if (detector.TryBegin(row, out long ticket, out Task decision))
                    {
                        sending.Add((ticket, row, model));
                    }
                    else
                    {
                        held.Add((row, model, decision));
                    }
                }
                else
                {
                    int at = random.Next(sending.Count);
                    (long ticket, Suspicion? row, string model) = sending[at];
                    sending.RemoveAt(at);
                    if (random.NextDouble() < bad)
                    {
                        bool isFinal = row is not null || random.Next(2) == 0;
                        row = detector.Failed(row, model, failure, ticket, isFinal);
                        if (!isFinal)
                        {
                            backingOff.Add((0, row, model));
                        }
                    }
                    else
                    {
                        detector.Answered(model, ticket);
                        Assert.False(row is { IsOpen: true } && row.Domain == FailureDomain.Alike);
                    }

                    cause = detector.Returned(left > 0);
                }
            }
        }
    }

    private long Begin()
    {
        Assert.True(_detector.TryBegin(null, out long ticket, out _));
        return ticket;
    }

    private void Answer()
    {
        _detector.Answered("m", Begin());
        Assert.Null(_detector.Returned(hasMore: true));
    }

    private Suspicion? FailMany(int rows)
    {
        Suspicion? row = null;
        for (var i = 0; i < rows; i++)
        {
            row = Fail(Refusal());
        }

        return row;
    }

    private Suspicion? Fail(LlmException failure, string model = "m", bool isFinal = true, bool hasMore = true)
    {
        Suspicion? row = _detector.Failed(null, model, failure, Begin(), isFinal);
        Assert.Null(_detector.Returned(hasMore));
        return row;
    }

    private static LlmException Refusal() => new(FailureKind.InvalidRequest, "unknown parameter") { StatusCode = 400 };

    private static LlmException Html() => new(FailureKind.InvalidResponse, "HTML") { StatusCode = 200 };

    private static LlmException NoModel() => new(FailureKind.ModelNotFound, "no such model") { StatusCode = 404 };
}
