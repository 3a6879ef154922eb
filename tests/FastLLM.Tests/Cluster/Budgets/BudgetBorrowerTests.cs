using FastLLM.Cluster.Budgets;
using FastLLM.Costs;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Cluster.Budgets;

public sealed class BudgetBorrowerTests
{
    private readonly ManualTimeProvider _time = new();
    private readonly List<BudgetReport> _reports = [];
    private readonly Gauge _reported = new();
    private decimal _elsewhere;
    private bool _isAway;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Borrower_ReportsWhenARequestWaits_ThenEverySecond_AndGivesTheRestBack()
    {
        var borrower = new BudgetBorrower(10, ExchangeAsync, _time, _ => { });
        BudgetAccount account = borrower.Ledger.Open();

        Assert.True(await borrower.Ledger.ReserveAsync(account, 1, Cancel));
        Assert.Equal(new BudgetReport(1, Paid: 0, Kept: 0, Wanted: 1.25m, Least: 1), _reports[0]);

        borrower.Ledger.Settle(account, 1, 0.5m);
        await _time.WaitForTimersAsync(1, Cancel);
        _time.Advance(TimeSpan.FromSeconds(1));
        await _reported.WaitForAsync(2, Cancel);
        Assert.Equal(0.5m, _reports[1].Paid);

        await borrower.DisposeAsync();
        Assert.Equal((0.5m, 0.5m), (_reports[^1].Paid, _reports[^1].Kept));
    }

    [Fact]
    public async Task Borrower_WhileTheStoreIsAway_TriesOnceASecond()
    {
        _isAway = true;
        await using var borrower = new BudgetBorrower(10, ExchangeAsync, _time, _ => { });
        Task<bool> waiting = borrower.Ledger.ReserveAsync(borrower.Ledger.Open(), 1, Cancel).AsTask();
        for (int tries = 1; tries <= 3; tries++)
        {
            await _reported.WaitForAsync(tries, Cancel);
            await _time.WaitForTimersAsync(1, Cancel);
            _time.Advance(TimeSpan.FromMilliseconds(999));
            Assert.Equal(tries, _reports.Count);
            _isAway = tries < 3;
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        Assert.True(await waiting);
        Assert.Equal([1L, 2, 3, 4], _reports.Select(report => report.Serial));
    }

    [Fact]
    public async Task Borrower_LearnsWhatOthersSpent_AndRefuses()
    {
        _elsewhere = 9.5m;
        await using var borrower = new BudgetBorrower(10, ExchangeAsync, _time, _ => { });

        Assert.False(await borrower.Ledger.ReserveAsync(borrower.Ledger.Open(), 1, Cancel));
    }

    private Task<BudgetReply> ExchangeAsync(BudgetReport report, CancellationToken cancellationToken)
    {
        _reports.Add(report);
        _reported.Add(1);
        var state = new BudgetState(10, _elsewhere, _elsewhere, Lost: 0, Workers: 1, IsShort: false);
        return _isAway ? Task.FromException<BudgetReply>(new TimeoutException())
            : Task.FromResult(new BudgetReply(state, BudgetPolicy.Grant(state, report)));
    }
}
