using System.Globalization;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Http;

namespace FastLLM.Simulator.Serving;

/// <summary>The limits of requests and tokens a minute: a send takes from both, or from none and is refused.</summary>
internal sealed class RateLimits
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly TokenBucket? _requests;
    private readonly TokenBucket? _tokens;

    private RateLimits(SimulatorOptions options)
    {
        _time = options.TimeProvider;
        _start = _time.GetTimestamp();
        _requests = options.RequestsPerMinute is { } requests ? new TokenBucket("requests", requests, options.BurstSeconds) : null;
        _tokens = options.TokensPerMinute is { } tokens ? new TokenBucket("tokens", tokens, options.BurstSeconds) : null;
    }

    /// <returns><see langword="null"/> where nothing is limited.</returns>
    public static RateLimits? Of(SimulatorOptions options) =>
        options.RequestsPerMinute is null && options.TokensPerMinute is null ? null : new RateLimits(options);

    public static TimeSpan Milliseconds(double seconds) => TimeSpan.FromMilliseconds(Math.Ceiling((seconds * 1000) - 1e-3));

    /// <summary>Says how the limits stand, and takes nothing.</summary>
    public RateVerdict Look()
    {
        lock (_gate)
        {
            return Look(Now());
        }
    }

    public RateVerdict Take(long tokens, ReadOnlySpan<byte> body)
    {
        TokenBucket narrow;
        double wait;
        RateVerdict verdict;
        lock (_gate)
        {
            double now = Now();
            if (tokens > _tokens?.Limit)
            {
                return Look(now) with { Refusal = Problem.OverLimit(RequestJson.Model(body), _tokens.Limit, tokens) };
            }

            double waitRequests = _requests?.Wait(now, 1) ?? 0;
            double waitTokens = _tokens?.Wait(now, tokens) ?? 0;
            wait = Math.Max(waitRequests, waitTokens);
            if (wait == 0)
            {
                _requests?.Take(now, 1);
                _tokens?.Take(now, tokens);
                return Look(now);
            }

            narrow = waitRequests >= waitTokens ? _requests! : _tokens!;
            verdict = Look(now);
        }

        return verdict with { Refusal = narrow.Refuse(RequestJson.Model(body), narrow == _requests ? 1 : tokens, wait), RetryAfter = Milliseconds(wait) };
    }

    private RateVerdict Look(double now) => new(_requests?.Look(now) ?? default, _tokens?.Look(now) ?? default);

    private double Now() => _time.GetElapsedTime(_start).TotalSeconds;
}

/// <summary>What the limits say to a send, and how they stand after it.</summary>
internal sealed record RateVerdict(RateState Requests, RateState Tokens)
{
    /// <summary><see langword="null"/> when the send may go on.</summary>
    public Problem? Refusal { get; init; }

    public TimeSpan? RetryAfter { get; init; }

    public void WriteTo(IHeaderDictionary headers)
    {
        if (Requests.Limit is not null)
        {
            headers["x-ratelimit-limit-requests"] = Requests.Limit;
            headers["x-ratelimit-remaining-requests"] = Requests.Remaining;
            headers["x-ratelimit-reset-requests"] = Requests.Reset;
        }

        if (Tokens.Limit is not null)
        {
            headers["x-ratelimit-limit-tokens"] = Tokens.Limit;
            headers["x-ratelimit-remaining-tokens"] = Tokens.Remaining;
            headers["x-ratelimit-reset-tokens"] = Tokens.Reset;
        }

        if (RetryAfter is { } wait)
        {
            headers.RetryAfter = ((long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            headers["retry-after-ms"] = ((long)wait.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        }
    }
}
