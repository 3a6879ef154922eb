using FastLLM.Cluster.Budgets;
using FastLLM.Costs;
using Xunit;

namespace FastLLM.Tests.Cluster.Budgets;

public sealed class BudgetPolicyTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Budget_IsNeverPassed_WhateverHappensToReportsAndWorkers(int seed)
    {
        var random = new Random(seed);
        decimal budget = random.Next(1, 300) / 10m;
        var model = new BudgetModel(budget, random);
        AddWorkers(model, random);

        for (int step = 0; step < 4000; step++)
        {
            model.Step(isRough: true);
            Assert.True(model.Billed <= budget, $"step {step}: {model.Billed} of {budget}");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Budget_IsUsedUp_BeforeAnyRequestIsRefused(int seed)
    {
        var random = new Random(seed);
        decimal budget = random.Next(10, 300) / 10m;
        var model = new BudgetModel(budget, random);
        AddWorkers(model, random);
        decimal leastRefused = decimal.MaxValue;

        while (model.Workers.Count > 0)
        {
            model.Step(isRough: false);
            Assert.True(model.Now < 40_000, $"Workers wait for ever: {string.Join("; ", model.Workers)}");
            foreach (BudgetModel.Worker worker in model.Workers.Where(worker => worker.IsDone).ToArray())
            {
                leastRefused = Math.Min(leastRefused, worker.Refused!.Value);
                model.End(worker);
            }
        }

        Assert.InRange(model.Billed, budget - leastRefused, budget);
    }

    [Theory]
    [InlineData(10, 0, 0, 1, 5, 1, 5)] // all that is wanted
    [InlineData(10, 4, 1, 1, 5, 1, 3.5)] // half of what is free, for one of one
    [InlineData(10, 4, 1, 5, 5, 0, 1.5)] // a tenth of it, for one of five
    [InlineData(10, 4, 1, 5, 5, 2, 2)] // but enough for the request that waits
    public void Grant_DividesTheRest(double budget, double others, double kept, int workers, double wanted, double least, double expected)
    {
        var state = new BudgetState((decimal)budget, (decimal)others, OthersPaid: 0, Lost: 0, workers, IsShort: false);

        BudgetGrant grant = BudgetPolicy.Grant(state, new BudgetReport(1, Paid: 0, (decimal)kept, (decimal)wanted, (decimal)least));

        Assert.Equal(new BudgetGrant((decimal)expected, IsLeftShort: false), grant);
    }

    [Fact]
    public void Grant_ThatDoesNotCoverTheRequestThatWaits_IsNone()
    {
        var state = new BudgetState(10, OthersLent: 8, OthersPaid: 3, Lost: 2, Workers: 2, IsShort: false);

        BudgetGrant grant = BudgetPolicy.Grant(state, new BudgetReport(1, Paid: 0.5m, Kept: 1, Wanted: 3, Least: 2.1m));

        Assert.Equal(new BudgetGrant(1, IsLeftShort: true), grant);
    }

    [Fact]
    public void Grant_OfABudgetThatWasLowered_LeavesWhatIsKept()
    {
        var state = new BudgetState(10, OthersLent: 12, OthersPaid: 3, Lost: 0, Workers: 2, IsShort: false);

        BudgetGrant grant = BudgetPolicy.Grant(state, new BudgetReport(1, Paid: 0, Kept: 1, Wanted: 3, Least: 0));

        Assert.Equal(1, grant.Lent);
    }

    [Fact]
    public void Keep_GivesBackWhatIsNotNeeded_AndAllOfItWhenTheRestIsShort()
    {
        var demand = new BudgetDemand(Spent: 1, Reserved: 2, Limit: 10, Waiting: 1, Next: 0.5m);

        Assert.Equal(4 + 0.75m, BudgetPolicy.Keep(demand, BudgetPolicy.Ahead(demand, perSecond: 0, isShort: false), isShort: false));
        Assert.Equal(7.25m, BudgetPolicy.Keep(demand, BudgetPolicy.Ahead(demand, perSecond: 5, isShort: false), isShort: false));
        Assert.Equal(10, BudgetPolicy.Keep(demand, BudgetPolicy.Ahead(demand, perSecond: 50, isShort: false), isShort: false));
        Assert.Equal(3, BudgetPolicy.Keep(demand, BudgetPolicy.Ahead(demand, perSecond: 5, isShort: true), isShort: true));
    }

    private static void AddWorkers(BudgetModel model, Random random)
    {
        for (int count = random.Next(1, 7); count > 0; count--)
        {
            model.Add();
        }
    }
}
