namespace FastLLM.Costs;

/// <summary>A budget, and what of it is spent or set aside: before a send its worst case is, and afterwards that becomes what it cost.</summary>
/// <remarks>
/// <para>Spent and set aside together never pass the budget. Who finds too little left waits, first come first served, for as long as sends in flight may turn out
/// cheaper than they might have been; who would not fit even if they all cost nothing is told so at once.</para>
/// <para>Safe for concurrent use. A reservation allocates only where it has to wait.</para>
/// </remarks>
internal sealed class BudgetLedger(decimal budget)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Waiter> _waiters = [];
    private decimal _earlier;
    private decimal _spent;
    private decimal _reserved;
    private decimal _recorded;
    private decimal _announced;
    private Action<decimal>? _announce;
    private int _waiting;

    /// <summary>The money that there is.</summary>
    public decimal Budget { get; } = budget;

    /// <summary>Whether somebody waits until sends in flight turn out cheaper than they might have been.</summary>
    public bool IsShort => Volatile.Read(ref _waiting) > 0;

    /// <summary>What is spent, by earlier runs of the job too, as far as they were told.</summary>
    public decimal Spent
    {
        get
        {
            lock (_gate)
            {
                return _earlier + _spent;
            }
        }
    }

    /// <summary>What is spent, without earlier runs.</summary>
    /// <param name="withReserved">Whether what is set aside counts too: for sends that nobody waits for any more.</param>
    public decimal CurrentCost(bool withReserved)
    {
        lock (_gate)
        {
            return _spent + (withReserved ? _reserved : 0);
        }
    }

    /// <summary>Begins a job.</summary>
    /// <param name="earlier">What earlier runs of it have spent.</param>
    /// <param name="announce">
    /// Called before a send that makes what is spent or set aside, and stands in no record yet, more than was announced: with a new bound of it. It is called
    /// under the lock, and rarely: the bound has room to grow.
    /// </param>
    public void Begin(decimal earlier, Action<decimal>? announce)
    {
        lock (_gate)
        {
            _earlier += earlier;
            _announce = announce;
            _announced = 0;
            _recorded = _spent + _reserved;
        }
    }

    /// <summary>The job is over: nothing is announced any more.</summary>
    public void End()
    {
        lock (_gate)
        {
            _announce = null;
        }
    }

    /// <summary>A record that tells a cost stands in the output.</summary>
    public void Recorded(decimal cost)
    {
        lock (_gate)
        {
            _recorded += cost;
        }
    }

    /// <summary>Sets money aside.</summary>
    /// <returns>Whether it is; <see langword="false"/>: it never fits.</returns>
    public ValueTask<bool> ReserveAsync(decimal amount, CancellationToken cancellationToken)
    {
        Waiter waiter;
        lock (_gate)
        {
            if (_earlier + _spent + amount > Budget)
            {
                return new ValueTask<bool>(false);
            }

            if (_waiters.Count == 0 && Fits(amount))
            {
                Take(amount);
                return new ValueTask<bool>(true);
            }

            waiter = new Waiter(amount);
            waiter.Node = _waiters.AddLast(waiter);
            _waiting++;
        }

        return new ValueTask<bool>(WaitAsync(waiter, cancellationToken));
    }

    /// <summary>A send is over: what was set aside for it becomes what it cost.</summary>
    public void Settle(decimal reserved, decimal cost)
    {
        lock (_gate)
        {
            _reserved -= reserved;
            _spent += cost;
            Admit();
        }
    }

    private bool Fits(decimal amount) => _earlier + _spent + _reserved + amount <= Budget;

    private void Take(decimal amount)
    {
        decimal unrecorded = _spent + _reserved + amount - _recorded;
        if (unrecorded > _announced && _announce is { } announce)
        {
            // A quarter more than is needed: else each of the first sends would be announced.
            decimal most = Math.Max(unrecorded, Math.Min(unrecorded * 1.25m, Budget - _earlier));
            announce(most);
            _announced = most;
        }

        _reserved += amount;
    }

    private void Admit()
    {
        while (_waiters.First is { } first)
        {
            decimal amount = first.Value.Amount;
            bool neverFits = _earlier + _spent + amount > Budget;
            if (!neverFits && !Fits(amount))
            {
                break;
            }

            _waiters.RemoveFirst();
            _waiting--;
            if (neverFits)
            {
                first.Value.Decided.SetResult(false);
                continue;
            }

            try
            {
                Take(amount);
                first.Value.Decided.SetResult(true);
            }
            catch (Exception e)
            {
                first.Value.Decided.SetException(e);
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
            lock (_gate)
            {
                if (waiter.Node!.List is not null)
                {
                    // Who comes next may need less than this one did.
                    _waiters.Remove(waiter.Node);
                    _waiting--;
                    Admit();
                    throw;
                }
            }

            // Set aside and cancelled at once: it goes back.
            if (waiter.Decided.Task is { IsCompletedSuccessfully: true, Result: true })
            {
                Settle(waiter.Amount, 0);
            }

            throw;
        }
    }

    private sealed class Waiter(decimal amount)
    {
        public decimal Amount { get; } = amount;

        // Continuations run elsewhere: the lock is held when it is completed.
        public TaskCompletionSource<bool> Decided { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LinkedListNode<Waiter>? Node { get; set; }
    }
}
