using System.Threading.Channels;
using FastLLM.Cluster.Limits;
using FastLLM.RateLimiting;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Cluster;

/// <summary>How a worker reports, and what it does with what it is granted.</summary>
public sealed class SharedLimitsTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly Store _store;

    public SharedLimitsTests() => _store = new Store(_time);

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task FirstSend_IsGrantedAtOnce_AndOneReportASecondIsEnough()
    {
        await using var limits = new SharedLimits(_store, _time, static _ => { });
        using RateLimiters limiters = NewLimiters();
        await using IAsyncDisposable share = limits.Join(limiters, "endpoint");
        ModelRateLimiter limiter = limiters.Of("m");

        await limiter.EnterAsync(new RateLease(), false, Ended);
        Task[] more = [.. Enumerable.Range(0, 20).Select(_ => limiter.EnterAsync(new RateLease(), false, Ended).AsTask())];
        var reports = 1;
        await _store.Reports.Reader.ReadAsync(Ended);
        await AdvanceUntilAsync(Task.WhenAll(more));
        while (_store.Reports.Reader.TryRead(out _))
        {
            reports++;
        }

        // 10 a second; the first report was at once, and the next ones a second apart.
        Assert.InRange(reports, 2, 1 + (int)_time.Elapsed.TotalSeconds);
    }

    [Fact]
    public async Task DatabaseAway_NothingIsSent_UntilItIsBack()
    {
        _store.IsAway = true;
        await using var limits = new SharedLimits(_store, _time, static _ => { });
        using RateLimiters limiters = NewLimiters();
        await using IAsyncDisposable share = limits.Join(limiters, "endpoint");
        Task send = limiters.Of("m").EnterAsync(new RateLease(), false, Ended).AsTask();
        await _store.Reports.Reader.ReadAsync(Ended);
        Assert.False(send.IsCompleted);

        _store.IsAway = false;
        await AdvanceUntilAsync(send);
    }

    [Fact]
    public async Task NoLimitConfigured_SendsDoNotWaitForGrants()
    {
        _store.IsAway = true;
        await using var limits = new SharedLimits(_store, _time, static _ => { });
        using var limiters = new RateLimiters(100, false, _time);
        await using IAsyncDisposable share = limits.Join(limiters, "endpoint");

        Task entering = limiters.Of("m").EnterAsync(new RateLease(), false, Ended).AsTask();

        Assert.True(entering.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task ShareNotKnownYet_OneIsSentAtATime_UntilItIs()
    {
        using var limiters = new RateLimiters(100, false, _time);
        var wanted = 0;
        limiters.Share(() => wanted++);
        ModelRateLimiter limiter = limiters.Of("m");
        Task first = limiter.EnterAsync(new RateLease(), false, Ended).AsTask();
        Task[] more = [.. Enumerable.Range(0, 20).Select(_ => limiter.EnterAsync(new RateLease(), false, Ended).AsTask())];
        Assert.True(first.IsCompletedSuccessfully);
        Assert.DoesNotContain(more, static send => send.IsCompleted);
        Assert.InRange(wanted, 1, 100);

        _ = limiters.Report(out double from);
        limiters.Grant("m", from, new ModelGrant([], null, 0, new LearnedGrant(false, 0.25, true, 5, null, 20, 0, false, 3)));
        Assert.Equal(5, limiters.InFlight);
        await first;
    }

    [Fact]
    public async Task ShareNotKnown_StoreAway_SendsAfterAWhile()
    {
        _store.IsAway = true;
        await using var limits = new SharedLimits(_store, _time, static _ => { });
        using var limiters = new RateLimiters(100, false, _time);
        await using IAsyncDisposable share = limits.Join(limiters, "endpoint");
        ModelRateLimiter limiter = limiters.Of("m");
        Task[] sends = [.. Enumerable.Range(0, 20).Select(_ => limiter.EnterAsync(new RateLease(), false, Ended).AsTask())];

        // The clock may run ahead of the sends that it lets go.
        await AdvanceUntilAsync(Task.WhenAll(sends));
        Assert.True(_time.Elapsed.TotalSeconds >= 2.9);
    }

    [Fact]
    public async Task Leave_NothingSentLately_IsReported()
    {
        await using var limits = new SharedLimits(_store, _time, static _ => { });
        using RateLimiters limiters = NewLimiters();
        IAsyncDisposable share = limits.Join(limiters, "endpoint");
        var lease = new RateLease();
        await limiters.Of("m").EnterAsync(lease, false, Ended);
        limiters.Of("m").Leave(lease, LeaseEnd.Answered);
        _ = limiters.Report(out _);
        Assert.Empty(limiters.Report(out _));

        await share.DisposeAsync();
        Assert.NotNull(_store.Left);
    }

    [Fact]
    public async Task DayUsedUpByOthers_IsRefused()
    {
        var limiters = new RateLimiters(100, false, _time, new RateLimits { RequestsPerDay = 50 }, TimeSpan.FromHours(1));
        limiters.Share(static () => { });
        ModelRateLimiter limiter = limiters.Of("m");
        Task waiting = limiter.EnterAsync(new RateLease(), false, Ended).AsTask();
        ModelReport report = Assert.Single(limiters.Report(out double from));
        Assert.Equal(50, report.PerDay);

        limiters.Grant(
            "m", from,
            new ModelGrant([new PermitGrant(0, 1, 3), null, null, null], 0, 50_000, new LearnedGrant(false, 0.5, false, null, null, null, 0, false, 3)));

        LlmException e = await Assert.ThrowsAsync<LlmException>(() => waiting);
        Assert.Equal(FailureKind.DailyLimit, e.Kind);
        limiters.Dispose();
    }

    private async Task AdvanceUntilAsync(Task task)
    {
        while (!task.IsCompleted)
        {
            await _time.WaitForTimersAsync(1, Ended);
            _time.AdvanceToNext();
        }
    }

    private RateLimiters NewLimiters() => new(1_000, false, _time, new RateLimits { RequestsPerMinute = 600 });

    private sealed class Store(TimeProvider time) : ILimitStore
    {
        private readonly Dictionary<string, Member> _members = [];
        private LimitState _state = new();

        public bool IsAway { get; set; }

        /// <summary>Gets the last member that has left.</summary>
        public string? Left { get; private set; }

        public Channel<int> Reports { get; } = Channel.CreateUnbounded<int>();

        public Task<IReadOnlyList<ModelGrant>> ReportAsync(
            IReadOnlyList<MemberReport> reports, bool leaves, CancellationToken cancellationToken)
        {
            Reports.Writer.TryWrite(reports.Count);
            if (IsAway)
            {
                throw new TimeoutException("away");
            }

            var grants = new List<ModelGrant>();
            Left = leaves ? reports[^1].Member : Left;
            foreach (MemberReport report in reports)
            {
                double now = time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
                Decision decision = LimitAllocator.Decide(_state, [.. _members.Values], report.Member, report.Report, now, leaves);
                _state = decision.State;
                _members[report.Member] = decision.Member;
                grants.Add(decision.Grant);
            }

            return Task.FromResult<IReadOnlyList<ModelGrant>>(grants);
        }
    }
}
