using FastLLM.Costs;
using Xunit;

namespace FastLLM.Tests.Costs;

/// <summary>One ledger, several accounts: each knows its own costs and announces its own risk, and together they keep the budget.</summary>
public sealed class BudgetLedgerTests
{
    private readonly BudgetLedger _ledger = new(10);

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

    private async Task<bool> ReserveAsync(BudgetAccount account, decimal amount) => await _ledger.ReserveAsync(account, amount, TestContext.Current.CancellationToken);
}
