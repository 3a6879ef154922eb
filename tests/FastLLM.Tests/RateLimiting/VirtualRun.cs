using FastLLM.RateLimiting;

namespace FastLLM.Tests.RateLimiting;

/// <summary>
/// A client with the real limiter and more rows than it can send, against a simulated provider, on virtual time: the same at every run.
/// </summary>
/// <param name="law">The law of the provider.</param>
internal sealed class VirtualRun(VirtualLaw law)
{
    // A limiter that never lets time go on fails rather than hangs.
    private const int MaxAtOnce = 1_000_000;

    private const double Compiling = 0.2;

    private readonly PriorityQueue<(Step Step, Send Send), double> _events = new();
    private readonly List<(double At, bool Refused)> _ends = [];
    private readonly List<double> _sends = [];
    private Random _random = new(0);
    private int _atServer;
    private double _sendsFrom;
    private double _pausedSince = double.PositiveInfinity;
    private double _nextOffered;
    private double _nextHiccup;
    private double _hiccupEnds;

    private enum Step
    {
        Arrive,
        Answer,
        Refuse,
        Retry,
        Timer,
    }

    public int Concurrency { get; init; } = 100;

    public bool SlowStart { get; init; }

    /// <summary>Gets the median latency of an answer.</summary>
    public double Latency { get; init; } = 0.1;

    /// <summary>Gets the sigma of the latency's logarithm.</summary>
    public double Sigma { get; init; }

    /// <summary>Gets how long a send travels to the provider; a refusal takes about as long on its way back.</summary>
    public double Travel { get; init; } = 0.002;

    /// <summary>Gets the share of refusals that take a minute.</summary>
    public double SlowRefusals { get; init; }

    /// <summary>Gets by how much the travel time varies.</summary>
    public double Jitter { get; init; } = 0.2;

    /// <summary>Gets the factor of the wait that a refusal asks for; 0 where it asks for none.</summary>
    public double RetryAfter { get; init; }

    /// <summary>Gets the sends a second that a configured limit allows.</summary>
    public double Offered { get; init; } = double.PositiveInfinity;

    public int Seed { get; init; } = 1;

    /// <summary>Gets whether the client's machine is busy: twice a second, nothing runs for 30 ms, both on average.</summary>
    public bool IsBusy { get; init; }

    /// <summary>Gets how long nothing arrives at first, as when the client's code is still being compiled.</summary>
    public double ColdStart { get; init; }

    /// <summary>Gets how long the first send keeps the client from the next one. Later ones take less, as the code is compiled.</summary>
    public double FirstSend { get; init; }

    public LearningLimiter Limiter { get; private set; } = null!;

    /// <summary>Gets what to do after each virtual second.</summary>
    public Action<double, VirtualRun>? EachSecond { get; init; }

    /// <summary>Gets the most that were in flight.</summary>
    public int MaxInFlight { get; private set; }

    /// <summary>Gets the longest time without a send.</summary>
    public double LongestPause => _sends.Zip(_sends.Skip(1), static (a, b) => b - a).DefaultIfEmpty(0).Max();

    /// <summary>Gets the longest time without a send while fewer were in flight than are allowed at most.</summary>
    public double LongestFreePause { get; private set; }

    public VirtualRun Run(double seconds)
    {
        _random = new Random(Seed);
        Limiter = new LearningLimiter(Concurrency, SlowStart);
        var ready = 0;
        double now = 0;
        double timer = double.PositiveInfinity;
        double second = 1;
        var atOnce = 0;
        while (now < seconds)
        {
            if (++atOnce > MaxAtOnce)
            {
                throw new InvalidOperationException($"Time stands still at {now} s.");
            }

            double wait;
            while ((wait = Math.Max(Limiter.Wait(now, out _), Math.Max(_nextOffered, _sendsFrom) - now)) <= 1e-9)
            {
                _sends.Add(now);
                _nextOffered = Math.Max(_nextOffered, now - 0.02) + (1 / Offered);
                _sendsFrom = now + (FirstSend * Math.Exp(-now / Compiling));
                _pausedSince = double.PositiveInfinity;
                MaxInFlight = Math.Max(MaxInFlight, Limiter.InFlight + 1);
                var send = new Send(Limiter.Sent(now));
                ready -= ready > 0 ? 1 : 0;
                _events.Enqueue((Step.Arrive, send), now + Trip());
            }

            // A timer of the system knows whole milliseconds.
            double at = now + (Math.Ceiling(wait * 1000) / 1000);
            if (!double.IsPositiveInfinity(wait) && (at < timer || timer <= now))
            {
                timer = at;
                _events.Enqueue((Step.Timer, default), at);
            }

            if (!_events.TryDequeue(out (Step Step, Send Send) next, out double time))
            {
                break;
            }

            _pausedSince = Limiter.InFlight < Concurrency ? Math.Min(_pausedSince, now) : double.PositiveInfinity;
            LongestFreePause = Math.Max(LongestFreePause, Math.Min(time, seconds) - _pausedSince);
            time = Math.Max(Math.Max(IsBusy ? AfterHiccup(time) : time, ColdStart), now);
            atOnce = time > now ? 0 : atOnce;
            now = time;
            while (now >= second)
            {
                EachSecond?.Invoke(second, this);
                second++;
            }

            Handle(next.Step, next.Send, now, ref ready);
        }

        return this;
    }

    /// <summary>Gets the number of sends that ended between two moments.</summary>
    public int Ends(double from, double to) => _ends.Count(end => end.At >= from && end.At < to);

    /// <summary>Gets the sends a second between two moments.</summary>
    public double Sends(double from, double to) => _sends.Count(at => at >= from && at < to) / (to - from);

    /// <summary>Gets the answers a second between two moments.</summary>
    public double Goodput(double from, double to) => _ends.Count(end => !end.Refused && end.At >= from && end.At < to) / (to - from);

    /// <summary>Gets the share of refused sends between two moments.</summary>
    public double Refused(double from, double to) =>
        _ends.Where(end => end.At >= from && end.At < to).Select(static end => end.Refused ? 1.0 : 0.0).DefaultIfEmpty(0).Average();

    private void Handle(Step step, Send send, double now, ref int ready)
    {
        switch (step)
        {
            case Step.Arrive:
                double refusedFor = law.Refuses(now, _atServer, _random);
                if (refusedFor > 0)
                {
                    double back = SlowRefusals > 0 && _random.NextDouble() < SlowRefusals ? 60 : Trip();
                    _events.Enqueue((Step.Refuse, send with { Told = RetryAfter * refusedFor }), now + back);
                }
                else
                {
                    law.Accept(now);
                    _atServer++;
                    _events.Enqueue((Step.Answer, send), now + (Latency * Math.Exp(Sigma * Normal())));
                }

                break;
            case Step.Answer:
                _atServer--;
                _ends.Add((now, false));
                Limiter.Answered(send.Mark, now);
                break;
            case Step.Refuse:
                _ends.Add((now, true));
                Limiter.Refused(send.Mark, now, send.Told);
                _events.Enqueue((Step.Retry, send), now + Math.Max(send.Told, 0.001));
                break;
            case Step.Retry:
                ready++;
                break;
        }
    }

    private double AfterHiccup(double time)
    {
        while (time >= _nextHiccup)
        {
            _hiccupEnds = _nextHiccup + (0.03 * Exponential());
            _nextHiccup = _hiccupEnds + (0.5 * Exponential());
        }

        return Math.Max(time, _hiccupEnds);
    }

    private double Exponential() => -Math.Log(1 - _random.NextDouble());

    private double Trip() => Travel * (1 + (Jitter * ((2 * _random.NextDouble()) - 1)));

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());

    private readonly record struct Send(SendMark Mark, double Told = 0);
}
