using System.Collections.Concurrent;
using FastLLM.Pipeline;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>Whether what is refused is a row's fault or everybody's, and how many failures a run bears.</summary>
public sealed class SystemicFailureTests : EngineTest
{
    [Fact]
    public async Task FirstTenRows_SameFailure_StopTheRun()
    {
        var provider = new ScriptedProvider((request, _, _) => throw Refusal(request));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 5));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(1000), Ended));

        Assert.Equal(FailureKind.InvalidRequest, stopped.Kind);
        Assert.InRange(provider.Sends, 10, 10 + (5 - 1) + SharedFailureDetector.Probes); // the ten, what is in flight beside the tenth, the probes
        Assert.Contains("all refused in the same way", stopped.Message, StringComparison.Ordinal);
        Assert.Contains("--max-errors 100%", stopped.Message, StringComparison.Ordinal);
        Assert.Equal(1000, stopped.Responses.Count);
        Assert.Equal(1000 - provider.Sends, stopped.Responses.Count(response => response.Error!.Kind == FailureKind.NotSent));
    }

    [Fact]
    public async Task FirstRows_SameFailure_FailAlone_IfAnAnswerFollows()
    {
        var all = new TaskCompletionSource();
        var sends = 0;
        var provider = new ScriptedProvider(async (request, _, cancellationToken) =>
        {
            if (Interlocked.Increment(ref sends) == 31)
            {
                all.SetResult();
            }

            if (NumberOf(request) < 30)
            {
                await all.Task;
                throw Refusal(request);
            }

            await Task.Delay(TimeSpan.FromSeconds(5), Time, cancellationToken);
            return "fine";
        });
        await using var manager = new RequestManager<string>(provider, OnManualClock(o => { o.Concurrency = 31; o.Timeout = Timeout.InfiniteTimeSpan; }));

        var outcomes = await RunClockAsync(manager.ProcessBatchAsync(AskMany(300), Ended));

        Assert.Equal(30, outcomes.Count(outcome => !outcome.IsSuccess));
        Assert.All(outcomes.Take(30), outcome => Assert.Equal(FailureKind.InvalidRequest, outcome.Error?.Kind));
        Assert.Equal(300, provider.Sends);
    }

    [Fact]
    public async Task Failures_AfterTheFirstAnswer_FailAlone()
    {
        var provider = new ScriptedProvider((request, _, _) => NumberOf(request) == 0 ? Task.FromResult("fine") : throw Refusal(request));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));

        var outcomes = await manager.ProcessBatchAsync(AskMany(100), Ended);

        Assert.Equal(99, outcomes.Count(outcome => outcome.Error?.Kind == FailureKind.InvalidRequest));
    }

    [Fact]
    public async Task UnreadableResponses_AfterAnswers_StopTheRun()
    {
        // A bad response takes time, or any number of rows would be sent while others back off, before a busy machine moves the clock.
        var rows = new ConcurrentDictionary<int, bool>();
        var provider = new ScriptedProvider(async (request, _, cancellationToken) =>
        {
            rows[NumberOf(request)] = true;
            if (NumberOf(request) < 50)
            {
                return "fine";
            }

            await Task.Delay(TimeSpan.FromSeconds(5), Time, cancellationToken);
            throw Unreadable();
        });
        await using var manager = new RequestManager<string>(
            provider, OnManualClock(o => (o.Concurrency, o.RetryAttempts, o.Timeout) = (20, 2, Timeout.InfiniteTimeSpan)));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => RunClockAsync(manager.ProcessBatchAsync(AskMany(2400), Ended)));

        Assert.Equal(FailureKind.InvalidResponse, stopped.Kind);
        Assert.InRange(rows.Count, 150, 250); // the fifty, the hundred, and what is in flight beside them
    }

    [Fact]
    public async Task UnreadableResponses_AfterAnswers_DoNotStopTheRun_IfAnswersFollow()
    {
        var provider = new ScriptedProvider((request, _, _) => NumberOf(request) is < 50 or > 399 ? Task.FromResult("fine") : throw Unreadable());
        await using var manager = new RequestManager<string>(provider, Quick(o => (o.Concurrency, o.RetryAttempts) = (20, 1))); // rows are read while time passes

        var outcomes = await manager.ProcessBatchAsync(AskMany(700), Ended);

        Assert.Equal(350, outcomes.Count(outcome => !outcome.IsSuccess));
    }

    [Fact]
    public async Task Failures_OfDifferentKinds_DoNotStopTheRun()
    {
        string[] words = ["colour", "flavour", "size"];
        var provider = new ScriptedProvider((request, _, _) => throw (NumberOf(request) % 4 == 3
            ? new LlmException(FailureKind.ContextLength, "too long") { StatusCode = 400 }
            : new LlmException(FailureKind.InvalidRequest, $"Unknown {words[NumberOf(request) % 3]}") { StatusCode = 400 }));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.Concurrency = 1));

        var outcomes = await manager.ProcessBatchAsync(AskMany(100), Ended);

        Assert.All(outcomes, outcome => Assert.False(outcome.IsSuccess));
        Assert.Equal(100, provider.Sends);
    }

    [Fact]
    public async Task MaxErrorShareOfOne_DisablesFailFast()
    {
        var provider = new ScriptedProvider((request, _, _) => throw Refusal(request));
        await using var manager = new RequestManager<string>(provider, Quick(o => o.MaxErrorShare = 1));

        var outcomes = await manager.ProcessBatchAsync(AskMany(300), Ended);

        Assert.All(outcomes, outcome => Assert.Equal(FailureKind.InvalidRequest, outcome.Error?.Kind));
    }

    [Theory]
    [InlineData(null, 0.05, 100, 120)]
    [InlineData(7L, null, 15, 30)]
    public async Task MaxErrors_Exceeded_StopsTheRun(long? errors, double? share, int fewest, int most)
    {
        var provider = new ScriptedProvider((request, _, _) => NumberOf(request) % 2 == 0 ? Task.FromResult("fine") : throw Refusal(request));
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.Concurrency = 2; o.MaxErrors = errors; o.MaxErrorShare = share; }));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(1000), Ended));

        Assert.Equal(FailureKind.TooManyFailures, stopped.Kind);
        Assert.InRange(provider.Sends, fewest, most);
        Assert.Contains(errors is null ? "MaxErrorShare" : "MaxErrors", stopped.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MaxErrors_Reached_DoesNotStopTheRun()
    {
        var provider = new ScriptedProvider((request, _, _) => NumberOf(request) % 10 != 1 ? Task.FromResult("fine") : throw Refusal(request));
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.Concurrency = 1; o.MaxErrors = 20; o.MaxErrorShare = 0.11; }));

        var outcomes = await manager.ProcessBatchAsync(AskMany(200), Ended);

        Assert.Equal(20, outcomes.Count(outcome => !outcome.IsSuccess));
    }

    [Fact]
    public async Task MaxErrors_ExceededByRowsThatAreDecidedAtTheEnd_StopsTheRun()
    {
        // Five refusals are too few to be shared by all, which is known when no row is left.
        var provider = new ScriptedProvider((request, _, _) => NumberOf(request) < 50 ? Task.FromResult("fine")
            : throw new LlmException(FailureKind.PermissionDenied, "no") { StatusCode = 403 });
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.Concurrency = 1; o.MaxErrors = 4; }));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(55), Ended));

        Assert.Equal(FailureKind.TooManyFailures, stopped.Kind);
        Assert.Contains("5 rows have failed", stopped.Message, StringComparison.Ordinal);
        Assert.Equal(5, stopped.Responses.Count(response => response.Error?.Kind == FailureKind.PermissionDenied));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Stop_BetweenTheLastSendAndItsOutcome_KeepsTheFailure(int reading)
    {
        using var drain = new CancellationTokenSource();
        var clock = new CountingClock();
        var provider = new ScriptedProvider((_, _, _) =>
        {
            clock.CallAtReading(reading, drain.Cancel);
            throw new LlmException(FailureKind.ServerError, "500");
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => { o.TimeProvider = clock; o.RetryAttempts = 1; }));
        var settings = new RunSettings { Drain = drain.Token };
        var outcomes = new List<ResponseWrapper<string>>();

        await Record.ExceptionAsync(async () =>
        {
            await foreach (ResponseWrapper<string> outcome in manager.Open(AskMany(1).ToAsyncEnumerable(), settings, Ended).Outcomes)
            {
                outcomes.Add(outcome);
            }
        });

        Assert.Equal((FailureKind.ServerError, 1), (Assert.Single(outcomes).Error?.Kind, outcomes[0].Attempts));
    }

    private static LlmException Unreadable() => new(FailureKind.InvalidResponse, "The answer is not a JSON object.") { StatusCode = 200 };

    private static LlmException Refusal(LlmRequest request) =>
        new(FailureKind.InvalidRequest, $"Row {NumberOf(request)}: unknown parameter 'x{NumberOf(request)}'") { StatusCode = 400, Code = "unknown_parameter" };

    private static int NumberOf(LlmRequest request) =>
        int.Parse(request.Messages[0].Content!.ToString().Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The system's clock, which calls back when it is read for the n-th time from now.</summary>
    private sealed class CountingClock : TimeProvider
    {
        private Action? _callback;
        private int _left;

        public void CallAtReading(int nth, Action callback) => (_left, _callback) = (nth, callback);

        public override long GetTimestamp()
        {
            if (_callback is { } callback && Interlocked.Decrement(ref _left) == 0)
            {
                callback();
            }

            return base.GetTimestamp();
        }
    }
}
