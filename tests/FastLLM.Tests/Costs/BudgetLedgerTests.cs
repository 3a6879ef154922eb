using FastLLM.Costs;
using Xunit;

namespace FastLLM.Tests.Costs;

/// <summary>One ledger, several accounts: each knows its own costs and announces its own risk, and together they keep the budget.</summary>
public sealed class BudgetLedgerTests
{
    private readonly BudgetLedger _ledger = new(10);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Accounts_KnowTheirOwnCosts()
    {
        BudgetAccount one = _ledger.Open(), other = _ledger.Open(earlier: 5);
        await ReserveAsync(one, 3);
        await ReserveAsync(other, 2);
        _ledger.Settle(one, 3, 1);

        Assert.Equal((1m, 0m, 2m), (one.Cost(withReserved: true), other.Cost(withReserved: false), other.Cost(withReserved: true)));
    }

    [Fact]
    public async Task Reserve_BeyondTheBudgetOfAllAccounts_IsRefused()
    {
        BudgetAccount one = _ledger.Open(), other = _ledger.Open();
        await ReserveAsync(one, 6);
        _ledger.Settle(one, 6, 6);

        Assert.False(await ReserveAsync(other, 5));
        Assert.True(await ReserveAsync(other, 4));
        Assert.Equal(6, other.SpentOfBudget);
    }

    [Fact]
    public async Task Reserve_BeyondTheBudgetWithEarlierCosts_IsRefusedForThatAccountOnly()
    {
        BudgetAccount resumed = _ledger.Open(earlier: 8), fresh = _ledger.Open();

        Assert.False(await ReserveAsync(resumed, 3));
        Assert.True(await ReserveAsync(fresh, 3));
        Assert.True(await ReserveAsync(resumed, 2));
        Assert.Equal(8, resumed.SpentOfBudget);
    }

    [Fact]
    public async Task Reserve_ThatMayFitLater_WaitsForASettlement()
    {
        BudgetAccount one = _ledger.Open(), other = _ledger.Open();
        await ReserveAsync(one, 9);
        Task<bool> waiting = ReserveAsync(other, 5);
        Assert.True(_ledger.IsShort);

        _ledger.Settle(one, 9, 1);

        Assert.True(await waiting);
        Assert.False(_ledger.IsShort);
    }

    [Fact]
    public async Task Announce_IsCalledBeforeUnrecordedCostsExceedTheLastBound_PerAccount()
    {
        List<decimal> announced = [];
        BudgetAccount job = _ledger.Open(earlier: 1, announced.Add), other = _ledger.Open();
        await ReserveAsync(other, 1);
        await ReserveAsync(job, 4);    // bound 5
        await ReserveAsync(job, 1);
        _ledger.Settle(job, 4, 1);
        job.Record(1);
        await ReserveAsync(job, 4);    // 5 unrecorded still
        Assert.Equal([5m], announced);

        job.Close();
        _ledger.Settle(job, 5, 0);
        await ReserveAsync(job, 7);
        Assert.Equal([5m], announced);
    }

    [Fact]
    public async Task SharedBudget_IsUsedOnlyAsFarAsItIsLent()
    {
        int wanted = 0;
        var shared = new BudgetLedger(10, () => wanted++);
        BudgetAccount account = shared.Open();
        Task<bool> waiting = shared.ReserveAsync(account, 3, Cancel).AsTask();
        Assert.Equal(1, wanted);

        shared.Lend(new BudgetLoan(10, Limit: 4, Elsewhere: 0, MaybeSpent: 0, Low: 1.5m));
        Assert.True(await waiting);
        Assert.Equal(2, wanted); // less than 1.5 is left

        Assert.True(await shared.ReserveAsync(account, 1, Cancel));
        Task<bool> more = shared.ReserveAsync(account, 1, Cancel).AsTask();
        Assert.False(more.IsCompleted);
        shared.Settle(account, 3, 2);
        Assert.True(await more);
    }

    [Fact]
    public async Task SharedBudget_ThatOthersHaveSpent_IsRefused()
    {
        var shared = new BudgetLedger(10, () => { });
        BudgetAccount account = shared.Open();
        Task<bool> waiting = shared.ReserveAsync(account, 3, Cancel).AsTask();

        shared.Lend(new BudgetLoan(10, Limit: 0, Elsewhere: 7, MaybeSpent: 2, Low: 0));
        Assert.False(waiting.IsCompleted); // sends of others may turn out cheaper

        shared.Lend(new BudgetLoan(10, Limit: 0, Elsewhere: 7.5m, MaybeSpent: 2, Low: 0));
        Assert.False(await waiting);
        Assert.Equal((7.5m, 2m), (account.SpentOfBudget, shared.MaybeSpent));
    }

    [Fact]
    public async Task Offer_GivesBackWhatIsNotKept_ButNothingThatIsUsed()
    {
        var shared = new BudgetLedger(10, () => { });
        BudgetAccount account = shared.Open();
        shared.Lend(new BudgetLoan(10, Limit: 8, Elsewhere: 0, MaybeSpent: 0, Low: 0));
        await shared.ReserveAsync(account, 4, Cancel);
        shared.Settle(account, 4, 1);
        await shared.ReserveAsync(account, 2, Cancel);

        Assert.Equal(new BudgetDemand(1, 2, 5, 0, 0), shared.Offer(demand => demand.Used + 2));
        Assert.Equal(new BudgetDemand(1, 2, 5, 0, 0), shared.Offer(_ => 100));
        Assert.Equal(new BudgetDemand(1, 2, 3, 0, 0), shared.Offer(_ => 0));
    }

    private async Task<bool> ReserveAsync(BudgetAccount account, decimal amount) => await _ledger.ReserveAsync(account, amount, TestContext.Current.CancellationToken);
}
