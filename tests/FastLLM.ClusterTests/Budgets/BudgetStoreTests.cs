using FastLLM.Cluster.Budgets;
using FastLLM.Costs;
using FastLLM.TestKit;
using FastLLM.TestKit.Servers;
using Npgsql;
using Xunit;

namespace FastLLM.ClusterTests.Budgets;

public sealed class BudgetStoreTests(SharedServers servers) : IAsyncLifetime
{
    private const string Job = "job1";

    private ClusterStore _store = null!;
    private BudgetStore _budgets = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _store = new ClusterStore(await servers.CreateDatabaseAsync());
        await _store.InitializeAsync(Cancel);
        await ExecuteAsync($"insert into fastllm.jobs (id, name, options) values ('{Job}', 'rows.jsonl', '{{}}')");
        _budgets = new BudgetStore(_store);
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is not null)
        {
            await _store.DisposeAsync();
        }
    }

    [Fact]
    public async Task Open_JobWithoutBudget_IsNull()
    {
        Assert.Null(await _budgets.OpenAsync(Job, "w1", Cancel));
        Assert.Null(await _budgets.FindAsync(Job, Cancel));
    }

    [Fact]
    public async Task Exchange_LendsWhatTheBudgetHas_AndKnowsWhatOthersPaid()
    {
        await _budgets.SetAsync(Job, 10, earlier: 1.5m, Cancel);
        long one = await OpenAsync(), other = await OpenAsync();

        BudgetReply first = await ExchangeAsync(one, new BudgetReport(1, Paid: 0, Kept: 0, Wanted: 4, Least: 1));
        Assert.Equal((1.5m, 4m), (first.State.OthersPaid, first.Grant.Lent));
        await ExchangeAsync(one, new BudgetReport(2, Paid: 3.25m, Kept: 4, Wanted: 4, Least: 0));

        BudgetReply second = await ExchangeAsync(other, new BudgetReport(1, Paid: 0, Kept: 0, Wanted: 100, Least: 4.5m));
        Assert.Equal((10m, 5.5m, 4.75m, 0m, 2), (second.State.Budget, second.State.OthersLent, second.State.OthersPaid, second.State.Lost, second.State.Workers));
        Assert.Equal(new BudgetGrant(4.5m, IsLeftShort: false), second.Grant);
        Assert.Equal(new BudgetStatus(10, Paid: 4.75m, MaybePaid: 0, Lent: 5.25m), await _budgets.FindAsync(Job, Cancel));
    }

    [Fact]
    public async Task Exchange_ThatFindsTooLittle_TellsTheOthersAndIsTriedAgain()
    {
        await _budgets.SetAsync(Job, 10, earlier: 0, Cancel);
        long one = await OpenAsync(), other = await OpenAsync();
        await ExchangeAsync(one, new BudgetReport(1, 0, 0, Wanted: 20, Least: 8));

        BudgetReply refused = await ExchangeAsync(other, new BudgetReport(1, 0, 0, Wanted: 5, Least: 3));
        Assert.Equal((0m, true), (refused.Grant.Lent, refused.IsShort));
        Assert.True((await ExchangeAsync(one, new BudgetReport(2, Paid: 1, Kept: 2, Wanted: 2, Least: 0))).IsShort);

        Assert.Equal(new BudgetGrant(4, IsLeftShort: false), (await ExchangeAsync(other, new BudgetReport(2, 0, 0, Wanted: 4, Least: 4))).Grant);
    }

    [Fact]
    public async Task Exchange_LateReport_ChangesNothing()
    {
        await _budgets.SetAsync(Job, 10, earlier: 0, Cancel);
        long one = await OpenAsync();
        await ExchangeAsync(one, new BudgetReport(2, Paid: 1, Kept: 1, Wanted: 3, Least: 0));

        await Assert.ThrowsAsync<InvalidOperationException>(() => ExchangeAsync(one, new BudgetReport(1, Paid: 0, Kept: 0, Wanted: 0, Least: 0)));

        Assert.Equal(new BudgetStatus(10, Paid: 1, MaybePaid: 0, Lent: 2), await _budgets.FindAsync(Job, Cancel));
    }

    [Fact]
    public async Task LoanOfALostWorker_CountsAsPaid_UntilItReportsAgain()
    {
        await _budgets.SetAsync(Job, 10, earlier: 0, Cancel);
        long lost = await OpenAsync(), other = await OpenAsync();
        await ExchangeAsync(lost, new BudgetReport(1, Paid: 0, Kept: 0, Wanted: 5, Least: 5));
        await ExchangeAsync(lost, new BudgetReport(2, Paid: 2, Kept: 5, Wanted: 5, Least: 0));
        await ExecuteAsync($"update fastllm.tranches set seen = now() - interval '11 seconds' where id = {lost}");

        BudgetReply reply = await ExchangeAsync(other, new BudgetReport(1, Paid: 0, Kept: 0, Wanted: 6, Least: 6));
        Assert.Equal((5m, 2m, 3m, true), (reply.State.OthersLent, reply.State.OthersPaid, reply.State.Lost, reply.Grant.IsLeftShort));
        Assert.Equal(3, (await _budgets.FindAsync(Job, Cancel))!.MaybePaid);

        await ExchangeAsync(lost, new BudgetReport(3, Paid: 2.5m, Kept: 2.5m, Wanted: 2.5m, Least: 0));
        Assert.Equal(new BudgetStatus(10, Paid: 2.5m, MaybePaid: 0, Lent: 0), await _budgets.FindAsync(Job, Cancel));
        Assert.Equal(6, (await ExchangeAsync(other, new BudgetReport(2, Paid: 0, Kept: 0, Wanted: 6, Least: 6))).Grant.Lent);
    }

    [Fact]
    public async Task Exchange_WhileAClientIsFrozenInItsTransaction_Continues()
    {
        await _budgets.SetAsync(Job, 10, earlier: 0, Cancel);
        long one = await OpenAsync();
        await using NpgsqlConnection frozen = await _store.Source.OpenConnectionAsync(Cancel);
        await using NpgsqlTransaction open = await frozen.BeginTransactionAsync(Cancel);
        await using var holding = new NpgsqlCommand(
            $"set local idle_in_transaction_session_timeout = '1s'; select 1 from fastllm.budgets where job = '{Job}' for no key update", frozen);
        await holding.ExecuteNonQueryAsync(Cancel);

        Assert.Equal(1, (await ExchangeAsync(one, new BudgetReport(1, 0, 0, Wanted: 1, Least: 1))).Grant.Lent);
    }

    [Fact]
    public async Task Set_HigherBudget_IsLent()
    {
        await _budgets.SetAsync(Job, 1, earlier: 0, Cancel);
        long one = await OpenAsync();
        Assert.True((await ExchangeAsync(one, new BudgetReport(1, 0, 0, Wanted: 2, Least: 2))).IsShort);

        await _budgets.SetAsync(Job, 3, earlier: 0, Cancel);

        BudgetReply reply = await ExchangeAsync(one, new BudgetReport(2, 0, 0, Wanted: 2, Least: 2));
        Assert.Equal((3m, 2m, false), (reply.State.Budget, reply.Grant.Lent, reply.IsShort));
    }

    [Fact]
    public async Task Borrowers_TogetherUseTheBudgetUp_AndNeverPassIt()
    {
        const decimal Budget = 2;
        await _budgets.SetAsync(Job, Budget, earlier: 0, Cancel);

        decimal[] paid = await Task.WhenAll(Enumerable.Range(1, 6).Select(seed => Task.Run(() => SpendAsync(new Random(seed)), Cancel)));

        Assert.InRange(paid.Sum(), Budget - 0.02m, Budget);
        Assert.Equal(new BudgetStatus(Budget, paid.Sum(), MaybePaid: 0, Lent: 0), await _budgets.FindAsync(Job, Cancel));
    }

    // Up to four sends at once, each of up to 2 cents, of which it costs a part; until one is refused.
    private async Task<decimal> SpendAsync(Random random)
    {
        long tranche = await OpenAsync();
        await using var borrower = new BudgetBorrower(
            2, (report, cancel) => _budgets.ExchangeAsync(Job, tranche, report, cancel), TimeProvider.System, _ => { });
        BudgetAccount account = borrower.Ledger.Open();
        var sent = new Queue<(decimal WorstCase, decimal Cost)>();
        decimal paid = 0;
        while (true)
        {
            decimal worstCase = random.Next(1, 20) / 1000m;
            Task<bool> reserving = borrower.Ledger.ReserveAsync(account, worstCase, Cancel).AsTask();
            Settle(reserving.IsCompleted ? 3 : 0);
            if (!await reserving)
            {
                Settle(0);
                return paid;
            }

            sent.Enqueue((worstCase, worstCase * random.Next(0, 11) / 10));
        }

        void Settle(int left)
        {
            while (sent.Count > left)
            {
                (decimal most, decimal cost) = sent.Dequeue();
                borrower.Ledger.Settle(account, most, cost);
                paid += cost;
            }
        }
    }

    private async Task<long> OpenAsync() => (await _budgets.OpenAsync(Job, "w", Cancel))!.Value.Tranche;

    private Task<BudgetReply> ExchangeAsync(long tranche, BudgetReport report) => _budgets.ExchangeAsync(Job, tranche, report, Cancel);

    private async Task ExecuteAsync(string sql)
    {
        await using NpgsqlCommand command = _store.Command(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
