using FastLLM.Cluster.Limits;
using FastLLM.RateLimiting;
using FastLLM.Tests.RateLimiting;

namespace FastLLM.Tests.Cluster;

/// <summary>Several clients with the real limiters and more rows than they can send, against one simulated provider, on virtual
/// time.</summary>
internal sealed class VirtualCluster(VirtualLaw law, int workers)
{
    private const double Travel = 0.002;

    private readonly PriorityQueue<(Step Step, Client Client, Send Send), double> _events = new();
    private readonly List<(double At, Client Client, bool Refused)> _ends = [];
    private readonly Dictionary<string, Member> _members = [];
    private LimitState _state = new();
    private Random _random = new(0);
    private int _atServer;

    private enum Step
    {
        Arrive,
        Answer,
        Refuse,
        Retry,
        Timer,
        Report,
        Granted,
        Start,
        Stop,
    }

    public int Concurrency { get; init; } = 100;

    public bool SlowStart { get; init; }

    public double Latency { get; init; } = 0.1;

    public double Sigma { get; init; }

    public int Seed { get; init; } = 1;

    /// <summary>Gets whether the workers share what they learn.</summary>
    public bool IsShared { get; init; } = true;

    /// <summary>Gets when a worker starts and stops.</summary>
    public Func<int, (double Start, double Stop)> Lives { get; init; } = static _ => (0, double.PositiveInfinity);

    /// <summary>Gets when the database is away.</summary>
    public (double From, double To) Away { get; init; } = (double.PositiveInfinity, double.PositiveInfinity);

    public LearnedLaw? Law => _state.Law;

    /// <summary>Gets what happened, for a look at it.</summary>
    public List<string> Log { get; } = [];

    public VirtualCluster Run(double seconds)
    {
        _random = new Random(Seed);
        for (var i = 0; i < workers; i++)
        {
            var client = new Client(i, new LearningLimiter(Concurrency, SlowStart, seesAll: !IsShared));
            (double start, double stop) = Lives(i);
            _events.Enqueue((Step.Start, client, default), start + (0.01 * i));
            _events.Enqueue((Step.Stop, client, default), stop);
        }

        while (_events.TryDequeue(out (Step Step, Client Client, Send Send) next, out double now) && now < seconds)
        {
            Handle(next.Step, next.Client, next.Send, now);
            if (next.Client.IsUp)
            {
                SendAll(next.Client, now);
            }
        }

        return this;
    }

    public double Goodput(double from, double to, int? worker = null) =>
        _ends.Count(end => !end.Refused && end.At >= from && end.At < to && (worker is null || end.Client.Number == worker)) / (to - from);

    public double Refused(double from, double to) =>
        _ends.Where(end => end.At >= from && end.At < to).Select(static end => end.Refused ? 1.0 : 0.0).DefaultIfEmpty(0).Average();

    private void SendAll(Client client, double now)
    {
        double wait;
        while ((wait = IsShared ? client.Share.Wait(now, out _) : client.Learner.Wait(now, out _)) == 0)
        {
            SendMark mark = IsShared ? client.Share.Sent(now) : client.Learner.Sent(now);
            _events.Enqueue((Step.Arrive, client, new Send(mark)), now + Trip());
        }

        double at = now + (Math.Ceiling(wait * 1000) / 1000);
        if (!double.IsPositiveInfinity(wait) && (at < client.Timer || client.Timer <= now))
        {
            client.Timer = at;
            _events.Enqueue((Step.Timer, client, default), at);
        }
    }

    private void Handle(Step step, Client client, Send send, double now)
    {
        switch (step)
        {
            case Step.Start:
                client.IsUp = true;
                _events.Enqueue((Step.Report, client, default), now + (_random.NextDouble() * 0.2));
                break;
            case Step.Stop:
                client.IsUp = false;
                break;
            case Step.Report when client.IsUp && IsShared:
                if (now < Away.From || now > Away.To)
                {
                    client.Report = client.Share.Report(now, true);
                    _events.Enqueue((Step.Granted, client, default), now + 0.005);
                }

                _events.Enqueue((Step.Report, client, default), now + 1);
                break;
            case Step.Granted when client.IsUp:
                var report = new ModelReport("m", now, [], null, 0, client.Report!);
                Decision decision = LimitAllocator.Decide(_state, [.. _members.Values], client.Id, report, now);
                LearnedLaw? before = _state.Law;
                _state = decision.State;
                _members[client.Id] = decision.Member;
                client.Share.Grant(now, decision.Grant.Learned);
                if (_state.Law != before)
                {
                    Log.Add($"{now:F2} {_state.Leader} {_state.Law}");
                }

                break;
            case Step.Arrive:
                if (law.Refuses(now, _atServer, _random) > 0)
                {
                    _events.Enqueue((Step.Refuse, client, send), now + Trip());
                }
                else
                {
                    law.Accept(now);
                    _atServer++;
                    _events.Enqueue((Step.Answer, client, send), now + (Latency * Math.Exp(Sigma * Normal())));
                }

                break;
            case Step.Answer:
                _atServer--;
                _ends.Add((now, client, false));
                End(client, send, now, isRefused: false);

                break;
            case Step.Refuse:
                _ends.Add((now, client, true));
                End(client, send, now, isRefused: true);

                _events.Enqueue((Step.Retry, client, send), now + 0.001);
                break;
        }
    }

    private void End(Client client, Send send, double now, bool isRefused)
    {
        if (IsShared)
        {
            client.Share.Ended(send.Mark, now, isRefused, !isRefused, 0);
        }
        else
        {
            client.Learner.Ended(send.Mark, now, isRefused, !isRefused, 0);
        }
    }

    private double Trip() => Travel * (1 + (0.2 * ((2 * _random.NextDouble()) - 1)));

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());

    private readonly record struct Send(SendMark Mark);

    private sealed class Client(int number, LearningLimiter learner)
    {
        public int Number { get; } = number;

        public string Id { get; } = $"worker {number}";

        public LearningLimiter Learner { get; } = learner;

        public LearnedShare Share { get; } = new(learner);

        public bool IsUp { get; set; }

        public double Timer { get; set; } = double.PositiveInfinity;

        public LearnedReport? Report { get; set; }
    }
}
