using System.Globalization;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Http;

namespace FastLLM.Simulator.Serving;

/// <summary>The announced limits of requests and tokens a minute. A send takes from both, or from none. Thread-safe.</summary>
internal sealed class RateLimits
{
    private readonly Lock _gate = new();
    private readonly ServerClock _clock;
    private readonly RateLimit? _requests;
    private readonly RateLimit? _tokens;

    private RateLimits(SimulatorOptions options, ServerClock clock)
    {
        _clock = clock;
        _requests = options.RequestsPerMinute is { } requests ? new RateLimit("requests", requests, options.BurstSeconds) : null;
        _tokens = options.TokensPerMinute is { } tokens ? new RateLimit("tokens", tokens, options.BurstSeconds) : null;
    }

    /// <returns><see langword="null"/> where nothing is limited.</returns>
    public static RateLimits? Of(SimulatorOptions options, ServerClock clock) =>
        options.RequestsPerMinute is null && options.TokensPerMinute is null ? null : new RateLimits(options, clock);

    /// <summary>Rounds a wait up to whole milliseconds, but not for what a cut timestamp adds to it.</summary>
    public static TimeSpan Milliseconds(double seconds) => TimeSpan.FromMilliseconds(Math.Ceiling((seconds * 1000) - 1e-3));

    /// <summary>Reads the state of the limits, and takes nothing.</summary>
    public RateVerdict Look()
    {
        lock (_gate)
        {
            return Look(Now);
        }
    }

    public RateVerdict Take(long tokens, ReadOnlySpan<byte> body)
    {
        RateLimit narrow;
        double wait;
        RateVerdict verdict;
        lock (_gate)
        {
            double now = Now;
            if (tokens > _tokens?.Limit)
            {
                return Look(now) with { Refusal = Problem.OverLimit(RequestJson.Model(body), _tokens.Limit, tokens) };
            }

            double waitRequests = _requests?.Bucket.Wait(now, 1) ?? 0;
            double waitTokens = _tokens?.Bucket.Wait(now, tokens) ?? 0;
            wait = Math.Max(waitRequests, waitTokens);
            if (wait == 0)
            {
                _requests?.Bucket.Take(now, 1);
                _tokens?.Bucket.Take(now, tokens);
                return Look(now);
            }

            narrow = waitRequests >= waitTokens ? _requests! : _tokens!;
            verdict = Look(now);
        }

        Problem refusal = narrow.Refuse(RequestJson.Model(body), narrow == _requests ? 1 : tokens, wait);
        return verdict with { Refusal = refusal, RetryAfter = TimeSpan.FromSeconds(wait) };
    }

    private double Now => _clock.Elapsed.TotalSeconds;

    private RateVerdict Look(double now) => new(_requests?.Look(now) ?? default, _tokens?.Look(now) ?? default);
}

/// <summary>Represents what the limits say to a request, and their state after it.</summary>
internal sealed record RateVerdict(RateState Requests, RateState Tokens)
{
    /// <summary><see langword="null"/> when the request is admitted.</summary>
    public Problem? Refusal { get; init; }

    public TimeSpan? RetryAfter { get; init; }

    public void WriteTo(IHeaderDictionary headers)
    {
        Requests.WriteTo(headers, "requests");
        Tokens.WriteTo(headers, "tokens");
        if (RetryAfter is { } wait)
        {
            wait = RateLimits.Milliseconds(wait.TotalSeconds);
            headers.RetryAfter = ((long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            headers["retry-after-ms"] = ((long)wait.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        }
    }
}
