using System.Globalization;
using FastLLM.Simulator.Answers;
using FastLLM.Simulator.Throttling;
using Microsoft.AspNetCore.Http;

namespace FastLLM.Simulator.Serving;

/// <summary>A limit a minute, and the bucket that enforces it. Not thread-safe: <see cref="RateLimits"/> locks.</summary>
internal sealed class RateLimit(string axis, long limit, double burstSeconds)
{
    public long Limit { get; } = limit;

    public Bucket Bucket { get; } = new(limit / 60.0, burstSeconds);

    /// <summary>Creates the refusal in OpenAI's arithmetic: used plus requested exceeds the limit by what the wait brings.</summary>
    public Problem Refuse(string model, long cost, double wait)
    {
        long excess = (long)Math.Ceiling((wait - Bucket.Tolerance) * Bucket.PerSecond);
        return Problem.RateLimited(model, axis, Limit, Math.Max(0, Limit + excess - cost), cost, RateLimits.Milliseconds(wait));
    }

    public RateState Look(double now) => new(
        Limit.ToString(CultureInfo.InvariantCulture),
        ((long)Math.Max(Math.Floor(Bucket.Remaining(now) + 1e-3), 0)).ToString(CultureInfo.InvariantCulture), // cut ticks and rounding
        GoDuration.Format(RateLimits.Milliseconds(Bucket.UntilFull(now))));
}

/// <summary>Represents the state of a limit as the headers report it; the default where there is no limit.</summary>
internal readonly record struct RateState(string? Limit, string Remaining, string Reset)
{
    public void WriteTo(IHeaderDictionary headers, string axis)
    {
        if (Limit is not null)
        {
            headers[$"x-ratelimit-limit-{axis}"] = Limit;
            headers[$"x-ratelimit-remaining-{axis}"] = Remaining;
            headers[$"x-ratelimit-reset-{axis}"] = Reset;
        }
    }
}
