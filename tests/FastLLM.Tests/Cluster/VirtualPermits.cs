using FastLLM.Cluster.Limits;
using FastLLM.RateLimiting;

namespace FastLLM.Tests.Cluster;

/// <summary>Workers with the real limits of a process and the real allocator, against a provider that counts strictly, on virtual
/// time.</summary>
internal sealed class VirtualPermits(long perMinute, int seed)
{
    private readonly PriorityQueue<Action<double>, double> _events = new();
    private readonly List<(double At, double Cost, int Worker)> _arrivals = [];
    private readonly Random _random = new(seed);
    private readonly Dictionary<string, Member> _members = [];
    private LimitState _state = new();
    private int _started;

    /// <summary>Gets the longest that a report and its answer travel.</summary>
    public double Delay { get; init; } = 0.01;

    /// <summary>Gets the share of reports and answers that get lost.</summary>
    public double Lost { get; init; }

    /// <summary>Gets when the database is away.</summary>
    public (double From, double To) Away { get; init; } = (double.PositiveInfinity, double.PositiveInfinity);

    /// <summary>Gets what a send takes.</summary>
    public Func<Random, double> Cost { get; init; } = static _ => 1;

    public IReadOnlyList<(double At, double Cost, int Worker)> Arrivals => _arrivals;

    /// <summary>Gets the decisions a second and worker, at most.</summary>
    public double MostDecisions { get; private set; }

    /// <summary>Adds a worker.</summary>
    /// <param name="start">When it starts.</param>
    /// <param name="end">When it is killed.</param>
    /// <param name="busy">Whether it has something to send at a time.</param>
    /// <param name="limit">The limit that it states, if it is another one.</param>
    public VirtualPermits Add(double start, double end = double.PositiveInfinity, Func<double, bool>? busy = null, long? limit = null)
    {
        var worker = new Worker(this, _started++, end, busy ?? (static _ => true), limit ?? perMinute);
        _events.Enqueue(worker.Start, start);
        return this;
    }

    public VirtualPermits Run(double seconds)
    {
        while (_events.TryDequeue(out Action<double>? next, out double now) && now < seconds)
        {
            next(now);
        }

        _arrivals.Sort(static (one, other) => one.At.CompareTo(other.At));
        return this;
    }

    public double Used(double from, double to) => _arrivals.Where(one => one.At >= from && one.At < to).Sum(static one => one.Cost) / (to - from);

    /// <summary>Gets the most that arrived within any minute.</summary>
    /// <param name="of">Says whose sends count; if <see langword="null"/>, those of all.</param>
    public double MostInAMinute(Func<int, bool>? of = null)
    {
        double most = 0, sum = 0;
        var first = 0;
        (double At, double Cost, int Worker)[] arrivals = [.. _arrivals.Where(one => of?.Invoke(one.Worker) ?? true)];
        foreach ((double at, double cost, _) in arrivals)
        {
            sum += cost;
            while (arrivals[first].At <= at - 60)
            {
                sum -= arrivals[first++].Cost;
            }

            most = Math.Max(most, sum);
        }

        return most;
    }

    private sealed class Worker(VirtualPermits all, int number, double end, Func<double, bool> busy, long perMinute)
    {
        // Each has a clock of its own.
        private readonly double _skew = all._random.NextDouble() * 1000;
        private readonly MinuteLimit _limit = new(perMinute, isShared: true);
        private readonly string _id = $"worker {number}";
        private double _next = double.PositiveInfinity;
        private double _cost = all.Cost(all._random);
        private double _reported = double.NegativeInfinity;

        public void Start(double now)
        {
            Report(now);
            Tick(now);
        }

        // Tries to send, as often as timers allow.
        private void Tick(double now)
        {
            if (now >= end)
            {
                return;
            }

            double wait = double.PositiveInfinity;
            while (busy(now) && (wait = _limit.Wait(now + _skew, _cost, _cost)) == 0)
            {
                TokenLedger.Entry entry = _limit.Take(now + _skew, _cost, _cost);
                double cost = _cost;
                double written = now + (0.02 * all._random.NextDouble());
                all._events.Enqueue(
                    at =>
                    {
                        if (at < end)
                        {
                            _limit.Sent(at + _skew, entry);
                            all._events.Enqueue(arrived => all._arrivals.Add((arrived, cost, number)), at + (0.3 * all._random.NextDouble()));
                        }
                    },
                    written);
                _cost = all.Cost(all._random);
            }

            if (busy(now) && double.IsPositiveInfinity(wait) && now >= _reported + 1)
            {
                Ask(now);
            }

            all._events.Enqueue(Tick, now + Math.Clamp(Math.Ceiling(wait * 1000) / 1000, 0.001, 0.05));
        }

        private void Report(double now)
        {
            if (now >= end)
            {
                return;
            }

            if (now >= _reported + 1)
            {
                Ask(now);
            }

            _next = _reported + 1;
            all._events.Enqueue(Report, Math.Max(_next, now + 0.001));
        }

        private void Ask(double now)
        {
            _reported = now;
            double from = now + _skew;
            PermitReport report = _limit.Report(from, busy(now))!;
            double decided = now + (all.Delay * all._random.NextDouble());
            if (all._random.NextDouble() < all.Lost || (decided >= all.Away.From && decided < all.Away.To))
            {
                return;
            }

            all._events.Enqueue(at => Decide(at, from, report), decided);
        }

        private void Decide(double now, double from, PermitReport report)
        {
            var whole = new ModelReport("m", from, [report], null, 0, new LearnedReport(false, false, null, null, 0, 0, 0, 0));
            Decision decision = LimitAllocator.Decide(all._state, [.. all._members.Values], _id, whole, 5_000 + now);
            all._state = decision.State;
            all._members[_id] = decision.Member;
            foreach (string forgotten in decision.Forgotten)
            {
                all._members.Remove(forgotten);
            }

            if (all._random.NextDouble() >= all.Lost && decision.Grant.Permits[0] is { } grant)
            {
                all._events.Enqueue(
                    _ => _limit.Permits!.Grant(from, grant.Amount, grant.PerSecond, grant.ValidFor),
                    now + (all.Delay * all._random.NextDouble()));
            }
        }
    }
}
