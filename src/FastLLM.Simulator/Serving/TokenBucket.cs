using System.Globalization;
using FastLLM.Simulator.Answers;

namespace FastLLM.Simulator.Serving;

/// <summary>A limit a minute, refilled continuously. Not thread-safe: <see cref="RateLimits"/> locks.</summary>
/// <remarks>All of its state is the moment at which it will be full again. Times are seconds on the clock of <see cref="RateLimits"/>.</remarks>
internal sealed class TokenBucket(string axis, long limit, double burstSeconds)
{
    private const double Tick = 1e-6; // who waits for as long as it was told is not sent back because a timestamp was cut to ticks

    private readonly double _perSecond = limit / 60.0;
    private double _fullAt;

    public string Axis { get; } = axis;

    public long Limit { get; } = limit;

    public void Take(double now, long cost) => _fullAt = Math.Max(_fullAt, now) + (cost / _perSecond);

    /// <summary>How long until this cost may be taken. One that is more than the bucket holds waits for a full bucket.</summary>
    public double Wait(double now, long cost)
    {
        double fill = Math.Min(cost / _perSecond, burstSeconds);
        double wait = Math.Max(_fullAt - now, 0) + fill - burstSeconds;
        return wait > Tick ? wait : 0;
    }

    /// <summary>The refusal in OpenAI's arithmetic: what is used and requested exceeds the limit by what flows in during the wait.</summary>
    public Problem Refuse(string model, long cost, double wait) =>
        Problem.RateLimited(model, Axis, Limit, Math.Max(0, Limit + (long)Math.Ceiling((wait - Tick) * _perSecond) - cost), cost, RateLimits.Milliseconds(wait));

    public RateState Look(double now)
    {
        double untilFull = Math.Max(_fullAt - now, 0);
        double remaining = Math.Floor(((burstSeconds - untilFull) * _perSecond) + 1e-3); // the same ticks, and rounding
        return new RateState(
            Limit.ToString(CultureInfo.InvariantCulture),
            ((long)Math.Max(remaining, 0)).ToString(CultureInfo.InvariantCulture),
            GoDuration.Format(RateLimits.Milliseconds(untilFull)));
    }
}

/// <summary>A bucket as the headers tell of it.</summary>
internal readonly record struct RateState(string? Limit, string Remaining, string Reset);
