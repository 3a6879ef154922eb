using FastLLM.Cluster.Store;
using FastLLM.Costs;

namespace FastLLM.Cluster.Budgets;

/// <summary>Borrows money for the sends of one worker, and reports what they cost.</summary>
/// <remarks>It reports every second while something is lent, and at once when a request waits. While the database is away, sends continue
/// with what is lent, and then wait.</remarks>
internal sealed class BudgetBorrower : IAsyncDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_gap = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_lastReport = TimeSpan.FromSeconds(5);

    private readonly Func<BudgetReport, CancellationToken, Task<BudgetReply>> _exchange;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;
    private TaskCompletionSource _wake = NewWake();
    private (long At, decimal Paid) _last;
    private long _serial;
    private bool _isShort;
    private bool _isAway;

    /// <summary>Starts to borrow when the first request waits.</summary>
    /// <param name="budget">The budget of the job.</param>
    /// <param name="exchange">Hands a report to the store.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Receives messages of one line.</param>
    public BudgetBorrower(
        decimal budget, Func<BudgetReport, CancellationToken, Task<BudgetReply>> exchange, TimeProvider time, Action<string> say)
    {
        _exchange = exchange;
        _time = time;
        _say = say;
        _last = (time.GetTimestamp(), 0);
        Ledger = new BudgetLedger(budget, Wake);
        _running = RunAsync(_ending.Token);
    }

    /// <summary>Gets the ledger of the worker's sends.</summary>
    public BudgetLedger Ledger { get; }

    /// <summary>Opens the budget of a job for a worker.</summary>
    /// <returns>What borrows from it; <see langword="null"/> if the job has no budget.</returns>
    public static async Task<BudgetBorrower?> OpenAsync(
        ClusterStore store, string job, string worker, Action<string> say, CancellationToken cancellationToken)
    {
        var budgets = new BudgetStore(store);
        if (await budgets.OpenAsync(job, worker, cancellationToken).ConfigureAwait(false) is not (var tranche, var budget))
        {
            return null;
        }

        return new BudgetBorrower(budget, (report, cancel) => budgets.ExchangeAsync(job, tranche, report, cancel), store.Time, say);
    }

    /// <summary>Lets a manager send with what is borrowed.</summary>
    public void ApplyTo(RequestManagerOptions options)
    {
        options.Budget = Ledger.Budget;
        options.SharedBudget = Ledger;
    }

    /// <summary>Gets a task that fails if the job is gone, so that nothing can be borrowed any more.</summary>
    public Task Completion => _running;

    /// <summary>Reports a last time, and gives back what is not used. Nothing may be sent any more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_ending.IsCancellationRequested)
        {
            return;
        }

        await _ending.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        BudgetDemand demand = Ledger.Offer(static demand => demand.Used);
        if (_serial > 0)
        {
            using var limit = new CancellationTokenSource(s_lastReport, _time);
            BudgetReport report = BudgetPolicy.Report(++_serial, demand with { Waiting = 0, Next = 0 }, ahead: 0);
            try
            {
                await StoreFault.RepeatAsync(() => _exchange(report, limit.Token), _time, onAway: null, limit.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException || StoreFault.IsAway(e))
            {
                _say(FormattableString.Invariant(
                    $"PostgreSQL could not be reached: ${demand.Limit - demand.Spent:0.##########} of the budget count as possibly paid."));
            }
        }

        _ending.Dispose();
    }

    private static TaskCompletionSource NewWake() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Wake() => Volatile.Read(ref _wake).TrySetResult();

    private async Task RunAsync(CancellationToken ending)
    {
        bool isIdle = true;
        while (true)
        {
            await WaitAsync(isIdle, ending).ConfigureAwait(false);
            Volatile.Write(ref _wake, NewWake());
            isIdle = await ReportAsync(ending).ConfigureAwait(false);
        }
    }

    private async Task WaitAsync(bool isIdle, CancellationToken ending)
    {
        try
        {
            TimeSpan longest = isIdle ? Timeout.InfiniteTimeSpan : s_interval;
            await Volatile.Read(ref _wake).Task.WaitAsync(longest, _time, ending).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return;
        }

        // After a report that brought nothing, the next one at once would bring nothing either.
        TimeSpan rest = (_isShort || _isAway ? s_interval : s_gap) - _time.GetElapsedTime(_last.At);
        if (_serial > 0 && rest > TimeSpan.Zero)
        {
            await Task.Delay(rest, _time, ending).ConfigureAwait(false);
        }
    }

    // Returns whether nothing is lent and nothing waits, so that there is nothing to report.
    private async Task<bool> ReportAsync(CancellationToken ending)
    {
        decimal ahead = 0;
        BudgetDemand demand = Ledger.Offer(demand =>
        {
            ahead = BudgetPolicy.Ahead(demand, PerSecond(demand.Spent), _isShort);
            return BudgetPolicy.Keep(demand, ahead, _isShort);
        });
        _last = (_time.GetTimestamp(), demand.Spent);
        try
        {
            BudgetReply reply = await _exchange(BudgetPolicy.Report(++_serial, demand, ahead), ending).ConfigureAwait(false);
            (_isShort, _isAway) = (reply.IsShort, false);
            Ledger.Lend(BudgetPolicy.Loan(demand, reply.State, reply.Grant.Lent));
            return demand.Waiting == 0 && reply.Grant.Lent <= demand.Spent;
        }
        catch (Exception e) when (StoreFault.IsAway(e) && !ending.IsCancellationRequested)
        {
            _isAway = true;
            return false;
        }
    }

    private decimal PerSecond(decimal spent)
    {
        double seconds = Math.Max(_time.GetElapsedTime(_last.At).TotalSeconds, s_gap.TotalSeconds);
        return (spent - _last.Paid) / (decimal)seconds;
    }
}
