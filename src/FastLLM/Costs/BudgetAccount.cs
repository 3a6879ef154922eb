namespace FastLLM.Costs;

/// <summary>One run's share of a <see cref="BudgetLedger"/>: what it has spent and reserved, and what its job spent earlier.</summary>
/// <remarks>A job records costs in its output. What is spent or reserved beyond that is <em>unrecorded</em>; before it exceeds the bound
/// that was last announced, a new bound is announced, so that a killed job knows how much it may have lost. The callback runs under the
/// ledger's lock, and rarely: each bound has room to grow. If it throws, the money is not reserved.</remarks>
internal sealed class BudgetAccount(BudgetLedger ledger, decimal earlier, Action<decimal>? announce)
{
    private Action<decimal>? _announce = announce;
    private decimal _spent;
    private decimal _recorded;
    private decimal _announced;

    /// <summary>Gets the ledger.</summary>
    public BudgetLedger Ledger => ledger;

    /// <summary>Gets what is spent of the budget, by all accounts or by this one's job, whichever is more.</summary>
    public decimal SpentOfBudget
    {
        get
        {
            lock (ledger.Gate)
            {
                return ledger.SpentFor(this);
            }
        }
    }

    /// <summary>Gets what the run and earlier runs of its job spent. Read under the ledger's lock.</summary>
    internal decimal JobSpent => earlier + _spent;

    /// <summary>Gets what is reserved. Read under the ledger's lock.</summary>
    internal decimal Reserved { get; private set; }

    /// <summary>Returns what the run has spent.</summary>
    /// <param name="withReserved">Whether reserved money counts too: for sends that were given up in flight.</param>
    public decimal Cost(bool withReserved)
    {
        lock (ledger.Gate)
        {
            return _spent + (withReserved ? Reserved : 0);
        }
    }

    /// <summary>Notes that a cost was recorded in the output.</summary>
    public void Record(decimal cost)
    {
        lock (ledger.Gate)
        {
            _recorded += cost;
        }
    }

    /// <summary>Ends the announcements: the run is over.</summary>
    public void Close()
    {
        lock (ledger.Gate)
        {
            _announce = null;
        }
    }

    /// <summary>Reserves under the ledger's lock.</summary>
    internal void Take(decimal amount, decimal budget)
    {
        decimal unrecorded = _spent + Reserved + amount - _recorded;
        if (unrecorded > _announced && _announce is { } announce)
        {
            // A quarter more than needed: otherwise each of the first sends would be announced.
            decimal bound = Math.Max(unrecorded, Math.Min(unrecorded * 1.25m, budget - earlier));
            announce(bound);
            _announced = bound;
        }

        Reserved += amount;
    }

    /// <summary>Settles under the ledger's lock.</summary>
    internal void Settle(decimal reserved, decimal cost)
    {
        Reserved -= reserved;
        _spent += cost;
    }
}
