namespace FastLLM.RateLimiting;

/// <summary>Tracks how much is left of the configured limits of a model. Under the lock of <see cref="RateLimiters"/>.</summary>
/// <remarks>What is set aside before a send is settled when it is over. A 429 keeps its request, since OpenAI counts refused requests too,
/// and gives its tokens back; what fails after it arrived keeps both, since Azure and OpenAI count at receipt; what never arrived gives all
/// back (<c>docs/limits.md</c>).</remarks>
/// <param name="limits">The limits.</param>
/// <param name="maxDayWait">How long to wait for the next day's requests.</param>
/// <param name="start">The time.</param>
/// <param name="isShared">Whether other processes share the limits, so that only what is granted may be sent.</param>
internal sealed class ConfiguredLimits(RateLimits limits, TimeSpan maxDayWait, double start, bool isShared = false)
{
    private const double MaxOfIt = 0.3;

    // Estimates may be a little too low.
    private const double TokenShare = 0.997;

    // Providers that limit prompts and answers apart refill continuously up to a whole minute's worth. Rows that are long in one and short
    // in the other need such a reserve: with half a second's, each limit would wait for the other.
    private const double SplitBurst = 30;

    // Requests a day are granted to those who share them in the same way, so there must be permits for them.
    private readonly MinuteLimit? _requests = Minute(
        limits.RequestsPerMinute ?? (isShared ? limits.RequestsPerDay : null), start, TokenBucket.HalfASecond, 1, isShared);

    private readonly MinuteLimit? _tokens = Minute(limits.TokensPerMinute, start, TokenBucket.HalfASecond, TokenShare, isShared);
    private readonly MinuteLimit? _input = Minute(limits.InputTokensPerMinute, start, SplitBurst, TokenShare, isShared);
    private readonly MinuteLimit? _output = Minute(limits.OutputTokensPerMinute, start, SplitBurst, TokenShare, isShared);
    private readonly DailyQuota? _day = limits.RequestsPerDay is { } perDay ? new DailyQuota(perDay) : null;
    private readonly TokenEstimate _estimate = new();

    // OpenAI and Azure count what a request allows itself, whatever it takes; others count what it took. Which of the two it is, is
    // learned.
    private bool _countsAllowance;
    private SentAnnouncer? _announcer;
    private double _correctedAt = double.NegativeInfinity;

    /// <summary>Gets the limits a minute: of requests, tokens, prompt tokens and output tokens.</summary>
    public IReadOnlyList<MinuteLimit?> Minutes => [_requests, _tokens, _input, _output];

    /// <summary>Announces what is sent from now on; <see langword="null"/> ends that.</summary>
    public void AnnounceTo(double now, string model, Action<SentMinute>? announce)
    {
        _announcer?.End(now);
        _announcer = announce is null ? null : new SentAnnouncer(model, Minutes, _day, announce);
    }

    /// <summary>Counts what an earlier process has sent.</summary>
    public void Restore(double now, SentMinute sent, double age)
    {
        SentAnnouncer.Restore(sent, Minutes, now, age);
        if (sent.Day is { } day)
        {
            _day?.Restore(now, day, age);
        }
    }

    /// <summary>Gets a value indicating whether a send waits for permits that are not granted.</summary>
    public bool IsShort =>
        _requests?.Permits?.IsShort == true || _tokens?.Permits?.IsShort == true
        || _input?.Permits?.IsShort == true || _output?.Permits?.IsShort == true;

    /// <summary>Gets the requests a day, if they are limited.</summary>
    public long? PerDay => _day?.PerDay;

    /// <summary>Gets the requests that count for the day, since the process began.</summary>
    public long OfDay => _day?.Taken ?? 0;

    /// <summary>Takes what is granted of limits that others share.</summary>
    /// <param name="from">When it was asked for.</param>
    /// <param name="now">The time.</param>
    /// <param name="grant">The grant.</param>
    public void Grant(double from, double now, ModelGrant grant)
    {
        for (var i = 0; i < grant.Permits.Length; i++)
        {
            if (grant.Permits[i] is { } permits)
            {
                Minutes[i]?.Permits?.Grant(from, permits.Amount, permits.PerSecond, permits.ValidFor);
            }
        }

        if (grant.LeftOfDay <= 0)
        {
            _day?.Correct(now, 0, grant.DayEndsIn);
        }
    }

    /// <summary>Whether it has to be known what a request says about its tokens.</summary>
    public bool CountsTokens => (_tokens ?? _input ?? _output) is not null;

    /// <summary>Why a request fits no minute, or <see langword="null"/>.</summary>
    public LlmException? Refusal(in TokenDemand demand)
    {
        // Where the request sets no limit, its output is a guess, and a guess is no reason to refuse it.
        long input = _estimate.Input(demand);
        long output = demand.MaxOutput ?? 0;
        return Over(input + output, _tokens, "tokens", nameof(RateLimits.TokensPerMinute))
            ?? Over(input, _input, "tokens of its prompt", nameof(RateLimits.InputTokensPerMinute))
            ?? Over(output, _output, "tokens of its answer", nameof(RateLimits.OutputTokensPerMinute));
    }

    /// <summary>Why nothing may be sent for longer than a run waits, or <see langword="null"/>.</summary>
    public LlmException? DayRefusal(double now) => _day?.Wait(now) is { } wait && wait > maxDayWait.TotalSeconds
        ? new LlmException(
            FailureKind.DailyLimit,
            $"The {_day.PerDay:N0} requests a day ({nameof(RateLimits.RequestsPerDay)}) are used up; "
            + $"there are more in {TimeSpan.FromSeconds(Math.Ceiling(wait))}.")
        : null;

    /// <summary>How long until the lease may be given, and for want of what.</summary>
    public double Wait(double now, RateLease lease, out BlockReason block)
    {
        block = BlockReason.None;
        double longest = 0;
        Longer(_day?.Wait(now) ?? 0, BlockReason.Requests, ref longest, ref block);
        Longer(_requests?.Wait(now, 1, 1) ?? 0, BlockReason.Requests, ref longest, ref block);
        if (CountsTokens)
        {
            ((long input, long output), (long Input, long Output) expected) = Estimate(lease.Tokens.Demand);
            Longer(_tokens?.Wait(now, input + output, expected.Input + expected.Output) ?? 0, BlockReason.Tokens, ref longest, ref block);
            Longer(_input?.Wait(now, input, expected.Input) ?? 0, BlockReason.Tokens, ref longest, ref block);
            Longer(_output?.Wait(now, output, expected.Output) ?? 0, BlockReason.Tokens, ref longest, ref block);
        }

        return longest;
    }

    /// <summary>Sets aside what the lease's request may take.</summary>
    public void Take(double now, RateLease lease)
    {
        _day?.Take(now);
        lease.Tokens.OfRequests = _requests?.Take(now, 1, 1);
        if (CountsTokens)
        {
            lease.Tokens.GivenBack = 0;
            ((long input, long output), (long Input, long Output) expected) = Estimate(lease.Tokens.Demand);
            (lease.Tokens.Input, lease.Tokens.Output) = (input, output);
            lease.Tokens.OfTokens = _tokens?.Take(now, input + output, expected.Input + expected.Output);
            lease.Tokens.OfInput = _input?.Take(now, input, expected.Input);
            lease.Tokens.OfOutput = _output?.Take(now, output, expected.Output);
        }

        _announcer?.Took(now, 1, lease.Tokens.Input + lease.Tokens.Output, lease.Tokens.Input, lease.Tokens.Output);
    }

    /// <summary>Notes that the lease's request was written.</summary>
    public void Sent(double now, RateLease lease)
    {
        Sent(now, _requests, lease.Tokens.OfRequests);
        Sent(now, _tokens, lease.Tokens.OfTokens);
        Sent(now, _input, lease.Tokens.OfInput);
        Sent(now, _output, lease.Tokens.OfOutput);
    }

    /// <summary>Learns from the end of a send.</summary>
    public void Ended(double now, RateLease lease, LeaseEnd end, Usage? usage)
    {
        Settle(now, lease, end, usage);
        if (end == LeaseEnd.Throttled)
        {
            UsedUp(now, lease.Since);
        }

        if (lease.Headers is { } headers)
        {
            // After the settlement: what is given back must not exceed what the provider says is left.
            Correct(now, lease, headers);
        }
    }

    // The most that a send may take, and what it is expected to take.
    private ((long Input, long Output) Most, (long Input, long Output) Expected) Estimate(in TokenDemand demand)
    {
        (long input, long output) = (_estimate.HighInput(demand), _estimate.Output(demand));
        long expected = _countsAllowance ? output : Math.Min(output, _estimate.ExpectedOutput(demand));
        return ((input, output), (Math.Min(input, _estimate.Input(demand)), expected));
    }

    // What was set aside becomes what the send took.
    private void Settle(double now, RateLease lease, LeaseEnd end, Usage? usage)
    {
        if (end == LeaseEnd.NotUsed)
        {
            _day?.Return();
        }

        Settle(now, _requests, lease.Tokens.OfRequests, end == LeaseEnd.NotUsed ? 0 : 1);

        if (!CountsTokens)
        {
            return;
        }

        if (end is LeaseEnd.NotUsed or LeaseEnd.Throttled)
        {
            Settle(now, lease, 0, 0, 0);
        }
        else if (usage is not null)
        {
            _estimate.Learn(lease.Tokens.Demand, usage);
            long output = _countsAllowance && lease.Tokens.Demand.MaxOutput is not null
                ? Math.Max(lease.Tokens.Output, usage.CompletionTokens)
                : usage.CompletionTokens;
            lease.Tokens.GivenBack = lease.Tokens.Input + lease.Tokens.Output - usage.PromptTokens - output;
            Settle(now, lease, usage.PromptTokens + output, Math.Max(0, usage.PromptTokens - usage.CachedTokens), usage.CompletionTokens);
        }
        else
        {
            Settle(now, lease, lease.Tokens.Input + lease.Tokens.Output, lease.Tokens.Input, lease.Tokens.Output);
        }
    }

    /// <summary>The provider refused a send that should have fitted: whatever is thought to be left, is not.</summary>
    private void UsedUp(double now, double sentAt)
    {
        if (sentAt >= _correctedAt)
        {
            _correctedAt = now;
            _countsAllowance = true;
            _requests?.Correct(now, 0);
            _tokens?.Correct(now, 0);
            _input?.Correct(now, 0);
            _output?.Correct(now, 0);
        }
    }

    /// <summary>Believes the headers of an answer where they say that less is left than is known here.</summary>
    /// <param name="now">The moment.</param>
    /// <param name="lease">The send. Of answers to what was sent before the last correction, nothing is new.</param>
    /// <param name="headers">What they say.</param>
    private void Correct(double now, RateLease lease, LimitHeaders headers)
    {
        if (lease.Since < _correctedAt || !headers.SaysAnything)
        {
            return;
        }

        _correctedAt = now;
        if (headers.Requests.Remaining is { } requests)
        {
            _requests?.Correct(now, requests);
        }

        // It has less than was thought right after something was given back: so it did not give it back.
        _countsAllowance |= Correct(now, _tokens, headers.Tokens) is > 0 and var less
            && less >= lease.Tokens.GivenBack * MaxOfIt && lease.Tokens.GivenBack > 0;
        Correct(now, _input, headers.Input);
        Correct(now, _output, headers.Output);
        if (headers.RequestsOfDay.Remaining is { } ofDay)
        {
            _day?.Correct(now, ofDay, headers.RequestsOfDay.Reset);
        }
    }

    private static MinuteLimit? Minute(long? perMinute, double start, double burst, double share, bool isShared) =>
        perMinute is { } limit ? new MinuteLimit(limit, start, burst, share, isShared) : null;

    private static double Correct(double now, MinuteLimit? limit, LimitAxis axis) =>
        limit is not null && axis.Remaining is { } remaining ? limit.Correct(now, remaining) : 0;

    private void Settle(double now, RateLease lease, long tokens, long input, long output)
    {
        Settle(now, _tokens, lease.Tokens.OfTokens, tokens);
        Settle(now, _input, lease.Tokens.OfInput, input);
        Settle(now, _output, lease.Tokens.OfOutput, output);
    }

    private static void Settle(double now, MinuteLimit? limit, TokenLedger.Entry? entry, long used)
    {
        if (entry is not null)
        {
            limit!.Settle(now, entry, used);
        }
    }

    private static void Sent(double now, MinuteLimit? limit, TokenLedger.Entry? entry)
    {
        if (entry is not null)
        {
            limit!.Sent(now, entry);
        }
    }

    private static void Longer(double wait, BlockReason reason, ref double longest, ref BlockReason block)
    {
        if (wait > longest)
        {
            longest = wait;
            block = reason;
        }
    }

    private static LlmException? Over(long tokens, MinuteLimit? bucket, string what, string option) => tokens > bucket?.PerMinute
        ? new LlmException(
            FailureKind.RequestTooLarge,
            $"Not sent: it may take about {tokens:N0} {what}, more than the limit of a whole minute ({option} {bucket.PerMinute:N0}). "
            + "Shorten the prompt, or allow less output.")
        : null;
}
