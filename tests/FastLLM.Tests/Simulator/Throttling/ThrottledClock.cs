using System.Globalization;
using FastLLM.Simulator;
using FastLLM.Simulator.Answers;
using FastLLM.Simulator.Serving;
using FastLLM.Simulator.Throttling;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Simulators.Throttling;

/// <summary>The laws on a clock that stands at the beginning of an hour: requests arrive when a test says so.</summary>
internal sealed class ThrottledClock
{
    private readonly ManualTimeProvider _time = new();
    private readonly Throttle _throttle;
    private int _sends;

    public ThrottledClock(SimulatorOptions options)
    {
        options.TimeProvider = _time;
        _throttle = Throttle.Of(options, new ServerClock(_time))!;
        Assert.NotNull(_throttle);
    }

    public ThrottledClock(params string[] laws)
        : this(new SimulatorOptions { ThrottleLaws = [.. laws.Select(ThrottleLaw.Parse)] })
    {
    }

    public void AdvanceTo(double seconds)
    {
        TimeSpan to = TimeSpan.FromSeconds(seconds);
        if (to > _time.Elapsed)
        {
            _time.Advance(to - _time.Elapsed);
        }
    }

    /// <summary>Lets a request arrive that nobody has sent before.</summary>
    public ThrottleRefusal? Arrive() => Arrive(BodyHash.Of(BitConverter.GetBytes(_sends++)), 1);

    public ThrottleRefusal? Arrive(BodyHash body, int send) => _throttle.Admit(body, send);

    public void Leave() => _throttle.Leave();

    /// <summary>Lets requests arrive at these seconds.</summary>
    /// <returns>For each <c>ok</c>, the seconds that it was told to wait, or <c>no</c> where it was told none.</returns>
    public string Arrive(string seconds) => string.Join(' ', seconds.Split(' ').Select(at =>
    {
        AdvanceTo(double.Parse(at, CultureInfo.InvariantCulture));
        return Arrive() is not { } refusal ? "ok"
            : refusal.RetryAfter is not { } wait ? "no"
            : Math.Round(wait.TotalSeconds, 3).ToString(CultureInfo.InvariantCulture);
    }));
}
