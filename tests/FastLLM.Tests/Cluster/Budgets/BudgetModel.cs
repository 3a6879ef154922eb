using FastLLM.Cluster.Budgets;
using FastLLM.Costs;

namespace FastLLM.Tests.Cluster.Budgets;

/// <summary>Workers that share a budget, a store and a network between them, driven step by step at random: reports and replies come late or not
/// at all, workers are killed and frozen. It knows what the provider may bill.</summary>
internal sealed class BudgetModel(decimal budget, Random random)
{
    private readonly List<Tranche> _tranches = [];
    private readonly List<(Tranche Tranche, BudgetReport Report, Action<BudgetReply> Reply)> _network = [];
    private int _shortUntil;
    private int _now;

    /// <summary>Gets the workers that were neither killed nor ended.</summary>
    public List<Worker> Workers { get; } = [];

    /// <summary>Gets what workers that are gone have paid, or may have.</summary>
    public decimal PaidByGone { get; private set; }

    /// <summary>Gets what the provider bills at most.</summary>
    public decimal Billed => PaidByGone + Workers.Sum(worker => worker.Paid + worker.InFlight.Sum(send => send.WorstCase));

    /// <summary>Gets the steps that have passed; a second has ten.</summary>
    public int Now => _now;

    public void Add() => Workers.Add(new Worker(this, budget, NewTranche()));

    /// <summary>Passes one step: something happens to somebody.</summary>
    public void Step(bool isRough)
    {
        _now++;
        foreach (Worker worker in Workers.ToArray())
        {
            if (worker.FrozenUntil > _now)
            {
                continue;
            }

            worker.Work(random);
            if (isRough && random.Next(60) == 0)
            {
                worker.FrozenUntil = _now + random.Next(250);
            }

            if (isRough && random.Next(200) == 0)
            {
                Kill(worker);
                Add();
            }
        }

        Deliver(isRough);
    }

    /// <summary>Ends a worker in order: it gives back what it does not use.</summary>
    public void End(Worker worker)
    {
        Workers.Remove(worker);
        PaidByGone += worker.Paid;
        worker.ReportLast();
    }

    private Tranche NewTranche()
    {
        var tranche = new Tranche { Seen = _now };
        _tranches.Add(tranche);
        return tranche;
    }

    // What was in flight may have been answered, and billed.
    private void Kill(Worker worker)
    {
        Workers.Remove(worker);
        PaidByGone += worker.Paid + worker.InFlight.Sum(send => send.WorstCase);
    }

    private void Send(Tranche tranche, BudgetReport report, Action<BudgetReply> reply) => _network.Add((tranche, report, reply));

    private void Deliver(bool isRough)
    {
        foreach (var message in _network.ToArray())
        {
            if (isRough && random.Next(3) == 0)
            {
                continue; // late
            }

            _network.Remove(message);
            if (isRough && random.Next(10) == 0)
            {
                continue; // lost
            }

            if (Take(message.Tranche, message.Report) is { } reply && !(isRough && random.Next(10) == 0))
            {
                message.Reply(reply);
            }
        }
    }

    // The same as the store does in its transaction.
    private BudgetReply? Take(Tranche own, BudgetReport report)
    {
        if (own.Serial >= report.Serial)
        {
            return null;
        }

        Tranche[] others = [.. _tranches.Where(tranche => tranche != own)];
        decimal lost = others.Where(IsLost).Sum(tranche => tranche.Lent - tranche.Paid);
        var state = new BudgetState(
            budget, others.Sum(tranche => tranche.Lent), others.Sum(tranche => tranche.Paid), lost,
            others.Count(tranche => !IsLost(tranche) && tranche.Lent > tranche.Paid) + 1, _shortUntil > _now);
        BudgetGrant grant = BudgetPolicy.Grant(state, report);
        (own.Serial, own.Lent, own.Paid, own.Seen) = (report.Serial, grant.Lent, report.Paid, _now);
        _shortUntil = grant.IsLeftShort ? _now + 30 : _shortUntil;
        return new BudgetReply(state, grant);
    }

    private bool IsLost(Tranche tranche) => tranche.Seen < _now - 100;

    internal sealed class Tranche
    {
        public long Serial { get; set; }

        public decimal Lent { get; set; }

        public decimal Paid { get; set; }

        public int Seen { get; set; }
    }

    internal sealed class Worker
    {
        private const int Slots = 6;

        private readonly BudgetModel _model;
        private readonly BudgetLedger _ledger;
        private readonly BudgetAccount _account;
        private readonly Tranche _tranche;
        private readonly List<(Task<bool> Reserved, decimal WorstCase)> _waiting = [];
        private bool _isWoken;
        private bool _isShort;
        private long _serial;
        private long _answered;
        private int _reported;
        private decimal _lastPaid;

        public Worker(BudgetModel model, decimal budget, Tranche tranche)
        {
            _model = model;
            _ledger = new BudgetLedger(budget, () => _isWoken = true);
            _account = _ledger.Open();
            _tranche = tranche;
        }

        public List<(decimal WorstCase, int Until)> InFlight { get; } = [];

        public decimal Paid { get; private set; }

        public int FrozenUntil { get; set; }

        /// <summary>Gets the worst case of a request that was refused: the run of this worker ends with it.</summary>
        public decimal? Refused { get; private set; }

        public bool IsDone => Refused is not null && _waiting.Count == 0 && InFlight.Count == 0;

        public override string ToString() =>
            $"paid {Paid}, in flight {InFlight.Count}, waiting {string.Join(", ", _waiting.Select(waiting => waiting.WorstCase))}, lent {_tranche.Lent}, refused {Refused}";

        public void Work(Random random)
        {
            foreach (var send in InFlight.Where(send => send.Until <= _model.Now).ToArray())
            {
                Settle(send, random);
            }

            while (Refused is null && _waiting.Count + InFlight.Count < Slots)
            {
                decimal worstCase = random.Next(1, 40) / 100m;
                ValueTask<bool> reserving = _ledger.ReserveAsync(_account, worstCase, CancellationToken.None);
                if (reserving.IsCompletedSuccessfully)
                {
                    Decide(reserving.Result, worstCase, random);
                }
                else
                {
                    _waiting.Add((reserving.AsTask(), worstCase));
                }
            }

            Admit(random);
            if ((_isWoken && _answered == _serial) || _model.Now - _reported >= 10)
            {
                Report();
            }
        }

        public void ReportLast()
        {
            BudgetDemand demand = _ledger.Offer(demand => demand.Used);
            _model.Send(_tranche, BudgetPolicy.Report(++_serial, demand, ahead: 0), _ => { });
        }

        private void Settle((decimal WorstCase, int Until) send, Random random)
        {
            decimal cost = random.Next(4) switch { 0 => send.WorstCase, 1 => 0, _ => send.WorstCase * random.Next(1000) / 1000 };
            InFlight.Remove(send);
            Paid += cost;
            _ledger.Settle(_account, send.WorstCase, cost);
        }

        // First come, first served: the requests that the ledger does not list any more are the first ones. Their tasks complete on other threads.
        private void Admit(Random random)
        {
            decimal undecided = _ledger.Offer(demand => demand.Limit).Waiting;
            while (_waiting.Sum(waiting => waiting.WorstCase) > undecided)
            {
                (Task<bool> reserved, decimal worstCase) = _waiting[0];
                _waiting.RemoveAt(0);
                Decide(reserved.GetAwaiter().GetResult(), worstCase, random);
            }
        }

        private void Decide(bool isReserved, decimal worstCase, Random random)
        {
            if (isReserved)
            {
                InFlight.Add((worstCase, _model.Now + random.Next(1, 30)));
            }
            else
            {
                Refused ??= worstCase;
            }
        }

        private void Report()
        {
            decimal ahead = 0;
            BudgetDemand demand = _ledger.Offer(demand =>
            {
                ahead = BudgetPolicy.Ahead(demand, (demand.Spent - _lastPaid) * 10 / Math.Max(1, _model.Now - _reported), _isShort);
                return BudgetPolicy.Keep(demand, ahead, _isShort);
            });
            (_isWoken, _lastPaid, _reported) = (false, demand.Spent, _model.Now);
            long serial = ++_serial;
            _model.Send(_tranche, BudgetPolicy.Report(serial, demand, ahead), reply =>
            {
                if (serial == _serial) // a later report was sent since: the reply is not waited for any more
                {
                    (_answered, _isShort) = (serial, reply.IsShort);
                    _ledger.Lend(BudgetPolicy.Loan(demand, reply.State, reply.Grant.Lent));
                }
            });
        }
    }
}
