namespace FastLLM.Costs;

/// <summary>Keeps a budget: the worst case of a send is reserved before it, and replaced by its cost afterwards.</summary>
/// <remarks>
/// <para>Spent and reserved money together never exceed the budget, neither over all accounts nor for one account and its earlier costs. A
/// request that finds too little left waits, first come first served, while sends in flight may turn out cheaper than reserved. A request
/// that would not fit even if those sends were free is refused at once.</para>
/// <para>A budget may be shared by several ledgers: then only what was lent to this one is spent and reserved here. See
/// <see cref="Offer"/> and <see cref="Lend"/>.</para>
/// <para>Safe for concurrent use. A reservation allocates only if it has to wait.</para>
/// </remarks>
internal sealed class BudgetLedger
{
    private readonly LinkedList<Waiter> _waiters = [];
    private readonly Action? _wanted;
    private decimal _limit;
    private decimal _low;
    private decimal _elsewhere;
    private decimal _spent;
    private decimal _reserved;
    private int _waiting;

    /// <summary>Creates a ledger that has the whole budget.</summary>
    public BudgetLedger(decimal budget) => Budget = _limit = budget;

    /// <summary>Creates a ledger that has nothing until it is lent.</summary>
    /// <param name="budget">The whole budget.</param>
    /// <param name="wanted">Called, under the lock, when a request waits or less is left than lent for: it must return at once.</param>
    public BudgetLedger(decimal budget, Action wanted)
    {
        Budget = budget;
        _wanted = wanted;
    }

    /// <summary>Gets the budget in US dollars.</summary>
    public decimal Budget { get; private set; }

    /// <summary>Gets the part of the spent budget that ledgers which were lost may have spent.</summary>
    public decimal MaybeSpent { get; private set; }

    /// <summary>Gets a value indicating whether a request waits until sends in flight turn out cheaper than reserved.</summary>
    public bool IsShort => Volatile.Read(ref _waiting) > 0;

    /// <summary>Gets the lock of the ledger and its accounts.</summary>
    internal Lock Gate { get; } = new();

    /// <summary>Opens the account of a run.</summary>
    /// <param name="earlier">What earlier runs of its job cost. It counts against this account's budget only.</param>
    /// <param name="announce">Called before a send that could raise the unrecorded costs above the last announced bound; see
    /// <see cref="BudgetAccount"/>.</param>
    public BudgetAccount Open(decimal earlier = 0, Action<decimal>? announce = null) => new(this, earlier, announce);

    /// <summary>Reserves money.</summary>
    /// <returns>Whether it is reserved; <see langword="false"/> if it can never fit.</returns>
    public ValueTask<bool> ReserveAsync(BudgetAccount account, decimal amount, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (Gate)
        {
            if (NeverFits(account, amount))
            {
                return new ValueTask<bool>(false);
            }

            if (_waiters.Count == 0 && Fits(account, amount))
            {
                Take(account, amount);
                return new ValueTask<bool>(true);
            }

            waiter = new Waiter(account, amount);
            waiter.Node = _waiters.AddLast(waiter);
            _waiting++;
            _wanted?.Invoke();
        }

        return new ValueTask<bool>(WaitAsync(waiter, cancellationToken));
    }

    /// <summary>Replaces a reservation by the cost of its send.</summary>
    public void Settle(BudgetAccount account, decimal reserved, decimal cost)
    {
        lock (Gate)
        {
            _reserved -= reserved;
            _spent += cost;
            account.Settle(reserved, cost);
            Admit();
        }
    }

    /// <summary>Gives back what is lent and not needed, and describes what is.</summary>
    /// <param name="keep">Decides what the limit becomes. What is used stays, and nothing is added.</param>
    /// <returns>The need, with the new limit.</returns>
    internal BudgetDemand Offer(Func<BudgetDemand, decimal> keep)
    {
        lock (Gate)
        {
            decimal waiting = _waiters.Sum(waiter => waiter.Amount);
            var demand = new BudgetDemand(_spent, _reserved, _limit, waiting, _waiters.First?.Value.Amount ?? 0);
            _limit = Math.Max(demand.Used, Math.Min(_limit, keep(demand)));
            return demand with { Limit = _limit };
        }
    }

    /// <summary>Takes what is lent. Requests that wait and fit now are admitted; those that cannot fit any more are refused.</summary>
    internal void Lend(in BudgetLoan loan)
    {
        lock (Gate)
        {
            Budget = loan.Budget;
            _limit = Math.Max(_limit, loan.Limit);
            _low = loan.Low;
            (_elsewhere, MaybeSpent) = (loan.Elsewhere, loan.MaybeSpent);
            Admit();
        }
    }

    /// <summary>Gets what is spent of the budget from the view of an account: by all accounts, or by its job, whichever is more.</summary>
    internal decimal SpentFor(BudgetAccount account) => Math.Max(_spent + _elsewhere, account.JobSpent);

    private bool NeverFits(BudgetAccount account, decimal amount) => SpentFor(account) + amount > Budget;

    private bool Fits(BudgetAccount account, decimal amount) =>
        _spent + _reserved + amount <= _limit && account.JobSpent + account.Reserved + amount <= Budget;

    private void Take(BudgetAccount account, decimal amount)
    {
        account.Take(amount, Budget);
        _reserved += amount;
        if (_wanted is not null && _limit - _spent - _reserved < _low)
        {
            _low = 0; // once for each loan
            _wanted();
        }
    }

    private void Admit()
    {
        while (_waiters.First is { } first)
        {
            Waiter waiter = first.Value;
            bool neverFits = NeverFits(waiter.Account, waiter.Amount);
            if (!neverFits && !Fits(waiter.Account, waiter.Amount))
            {
                break;
            }

            _waiters.RemoveFirst();
            _waiting--;
            if (neverFits)
            {
                waiter.Decided.SetResult(false);
                continue;
            }

            try
            {
                Take(waiter.Account, waiter.Amount);
                waiter.Decided.SetResult(true);
            }
            catch (Exception e)
            {
                waiter.Decided.SetException(e);
            }
        }
    }

    private async Task<bool> WaitAsync(Waiter waiter, CancellationToken cancellationToken)
    {
        try
        {
            return await waiter.Decided.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            lock (Gate)
            {
                if (waiter.Node!.List is not null)
                {
                    // The next waiter may need less.
                    _waiters.Remove(waiter.Node);
                    _waiting--;
                    Admit();
                    throw;
                }
            }

            // Reserved and canceled at the same time: the money goes back.
            if (waiter.Decided.Task is { IsCompletedSuccessfully: true, Result: true })
            {
                Settle(waiter.Account, waiter.Amount, 0);
            }

            throw;
        }
    }

    private sealed class Waiter(BudgetAccount account, decimal amount)
    {
        public BudgetAccount Account { get; } = account;

        public decimal Amount { get; } = amount;

        // Continuations run elsewhere: the lock is held when it completes.
        public TaskCompletionSource<bool> Decided { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkedListNode<Waiter>? Node { get; set; }
    }
}
