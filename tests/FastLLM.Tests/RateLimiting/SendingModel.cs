using System.Text;
using FastLLM.Pipeline;
using FastLLM.RateLimiting;
using FastLLM.Retries;
using FastLLM.TestKit;

namespace FastLLM.Tests.RateLimiting;

/// <summary>A limiter, workers that always have a next row, and a server that limits: on the manual clock, on one thread, the same at every run.</summary>
internal sealed class SendingModel : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly Random _random = new(7);
    private readonly List<Sender> _waiting = [];
    private readonly RateLimiters _limiters;
    private readonly ModelRateLimiter _gate;
    private readonly ServerModel _server;
    private readonly double _latency;
    private readonly Func<Random, (int Prompt, int? Allowed, int Answer)> _row;
    private bool _disposed;

    /// <param name="server">Who answers.</param>
    /// <param name="latency">How long an answer takes, in seconds; a refusal comes at once.</param>
    /// <param name="told">The limits that were told.</param>
    /// <param name="adaptive">Whether the number in flight adapts; else it is the ceiling.</param>
    /// <param name="ceiling">The most in flight.</param>
    /// <param name="row">The next row's prompt, allowed output and real output, in tokens.</param>
    public SendingModel(
        ServerModel server, double latency, RateLimits? told = null, bool adaptive = true, int ceiling = 1000, Func<Random, (int Prompt, int? Allowed, int Answer)>? row = null)
    {
        _server = server;
        _latency = latency;
        _row = row ?? (static _ => (100, 100, 100));
        _limiters = new RateLimiters(ceiling, adaptive, _time, told);
        _gate = _limiters.Of("m");
    }

    /// <summary>When each answer came, and whether it was a refusal.</summary>
    public List<(double At, bool Refused)> Answers { get; } = [];

    /// <summary>When each send arrived.</summary>
    public List<double> Arrivals { get; } = [];

    /// <summary>What the server has counted.</summary>
    public long Counted { get; private set; }

    public ThrottlingLaw Law => _gate.Law;

    public IReadOnlyList<LearnedLimits>? Learned => _limiters.Learned();

    /// <summary>Whether a refusal is a 503, not a 429.</summary>
    public bool IsOverloaded { get; init; }

    public int Limit => _limiters.Limit;

    private double Now => _time.Elapsed.TotalSeconds;

    public void Run(double seconds, int workers = 400)
    {
        for (var i = 0; i < workers; i++)
        {
            Enter(new Sender { Row = _row(_random) });
        }

        Pump();
        while (Now < seconds && _time.AdvanceToNext())
        {
            Pump();
        }

        _disposed = true;
    }

    /// <summary>The answers a second from one moment to another that were no refusals.</summary>
    public double Goodput(double from, double to) => Answers.Count(answer => !answer.Refused && answer.At >= from && answer.At < to) / (to - from);

    /// <summary>The share of refusals from a moment on.</summary>
    public double Refused(double from) => Answers.Where(answer => answer.At >= from).Select(answer => answer.Refused ? 1.0 : 0.0).DefaultIfEmpty(0).Average();

    public void Dispose() => _limiters.Dispose();

    // The task is of no interest: that the lease was given is to be seen at once, and on this thread.
    private void Enter(Sender sender)
    {
        sender.Lease.Since = -1;
        if (_gate.WantsHeaders)
        {
            _gate.Prepare(sender.Lease, LlmRequest.FromBody(Endpoints.ChatCompletions, Encoding.UTF8.GetBytes(sender.Body())));
        }

        _ = _gate.EnterAsync(sender.Lease, sender.Refusals > 0, CancellationToken.None).AsTask();
        _waiting.Add(sender);
    }

    private void Pump()
    {
        while (_waiting.FindIndex(static sender => sender.Lease.Since >= 0) is >= 0 and var first)
        {
            Sender sender = _waiting[first];
            _waiting.RemoveAt(first);
            _gate.Sent(sender.Lease);
            After(0.0005 + (_random.NextDouble() * 0.003), () => Arrive(sender));
        }
    }

    private void Arrive(Sender sender)
    {
        Arrivals.Add(Now);
        int tokens = sender.Row.Prompt + (sender.Row.Allowed ?? sender.Row.Answer);
        bool accepted = _server.Take(Now, tokens, out double? retryAfter);
        Counted += accepted ? tokens : 0;
        double wait = accepted ? _latency * (0.7 + (0.6 * _random.NextDouble())) : 0.001;
        After(wait, () => Answer(sender, accepted, retryAfter));
    }

    private void Answer(Sender sender, bool accepted, double? retryAfter)
    {
        Answers.Add((Now, !accepted));
        _server.Leave(accepted);
        TimeSpan? wait = retryAfter is { } seconds ? TimeSpan.FromSeconds(seconds) : null;
        if (accepted)
        {
            _gate.Leave(sender.Lease, LeaseEnd.Answered, new Usage { PromptTokens = sender.Row.Prompt, CompletionTokens = sender.Row.Answer });
            Enter(new Sender { Row = _row(_random) });
            return;
        }

        sender.Lease.MeetsOutage = IsOverloaded;
        _gate.Leave(sender.Lease, IsOverloaded ? LeaseEnd.Overloaded : LeaseEnd.Throttled, null, wait ?? TimeSpan.Zero);
        sender.Refusals++;
        After(Math.Max(0.001, Backoff.Delay(sender.Refusals, TimeSpan.FromSeconds(1), wait, _random.NextDouble()).TotalSeconds), () => Enter(sender));
    }

    private void After(double seconds, Action action)
    {
        ITimer? timer = null;
        timer = _time.CreateTimer(
            _ =>
            {
                timer?.Dispose();
                if (!_disposed)
                {
                    action();
                }
            },
            null, TimeSpan.FromSeconds(Math.Max(seconds, 1e-4)), Timeout.InfiniteTimeSpan);
    }

    private sealed class Sender
    {
        public RateLease Lease { get; } = new();

        public (int Prompt, int? Allowed, int Answer) Row { get; init; }

        public int Refusals { get; set; }

        // Four bytes a token.
        public string Body() =>
            $$"""{"model":"m","messages":[{"role":"","content":"{{string.Concat(Enumerable.Repeat("abc ", Row.Prompt))}}"}]{{(Row.Allowed is { } allowed ? $",\"max_tokens\":{allowed}" : "")}}}""";
    }
}

/// <summary>How a server limits. Times are seconds.</summary>
internal abstract class ServerModel
{
    public abstract bool Take(double now, int tokens, out double? retryAfter);

    public virtual void Leave(bool accepted)
    {
    }
}

/// <summary>Refilled continuously, a second's worth at once, as the simulator does it; for requests, for tokens, or for both.</summary>
internal sealed class ContinuousServer(double? requestsPerMinute, double? tokensPerMinute = null, double burst = 1, bool tells = true) : ServerModel
{
    private double _requestsFullAt;
    private double _tokensFullAt;

    public override bool Take(double now, int tokens, out double? retryAfter)
    {
        double wait = Math.Max(Wait(now, _requestsFullAt, requestsPerMinute, 1), Wait(now, _tokensFullAt, tokensPerMinute, tokens));
        retryAfter = wait > 0 && tells ? Math.Ceiling(wait * 1000) / 1000 : null;
        if (wait > 0)
        {
            return false;
        }

        _requestsFullAt = Math.Max(_requestsFullAt, now) + (requestsPerMinute is { } r ? 60 / r : 0);
        _tokensFullAt = Math.Max(_tokensFullAt, now) + (tokensPerMinute is { } t ? tokens * 60 / t : 0);
        return true;
    }

    private double Wait(double now, double fullAt, double? perMinute, double cost)
    {
        if (perMinute is not { } limit)
        {
            return 0;
        }

        double wait = Math.Max(fullAt - now, 0) + Math.Min(cost * 60 / limit, burst) - burst;
        return wait > 1e-6 ? wait : 0;
    }
}

/// <summary>So many in each minute by the clock, and none more until the next begins.</summary>
internal sealed class WindowServer(int perMinute, bool tells) : ServerModel
{
    private long _minute = -1;
    private int _used;

    public override bool Take(double now, int tokens, out double? retryAfter)
    {
        var minute = (long)(now / 60);
        if (minute != _minute)
        {
            _minute = minute;
            _used = 0;
        }

        bool accepted = _used < perMinute;
        _used += accepted ? 1 : 0;
        retryAfter = !accepted && tells ? Math.Ceiling(((minute + 1) * 60) - now) : null;
        return accepted;
    }
}

/// <summary>Refuses a share of all sends, whatever is sent.</summary>
internal sealed class RandomServer(double share, double? wait = null) : ServerModel
{
    private readonly Random _random = new(11);

    public override bool Take(double now, int tokens, out double? retryAfter)
    {
        bool accepted = _random.NextDouble() >= share;
        retryAfter = accepted ? null : wait;
        return accepted;
    }
}

/// <summary>So many at once, and no limit of a rate (DeepSeek).</summary>
internal sealed class SlotServer(int slots) : ServerModel
{
    private int _inFlight;

    public override bool Take(double now, int tokens, out double? retryAfter)
    {
        retryAfter = null;
        bool accepted = _inFlight < slots;
        _inFlight += accepted ? 1 : 0;
        return accepted;
    }

    public override void Leave(bool accepted) => _inFlight -= accepted ? 1 : 0;
}
