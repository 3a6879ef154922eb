using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class TimeLimitTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(1);
    private readonly ManualTimeProvider _time = new();
    private readonly List<string> _calls = [];

    [Fact]
    public void Test_WithinTheLimit_IsLeftAlone()
    {
        TimeLimit limit = Start();
        _time.Advance(s_limit - TimeSpan.FromSeconds(1));
        limit.Dispose();
        _time.Advance(s_limit * 3);

        Assert.Empty(_calls);
    }

    [Fact]
    public void Test_OverTheLimit_IsCancelled_AndFails()
    {
        TimeLimit limit = Start();
        _time.Advance(s_limit);

        Assert.Equal(["cancel"], _calls);
        Assert.Contains("The test x exceeded", Assert.Throws<TimeoutException>(limit.Dispose).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Test_ThatIgnoresItsCancellation_EndsTheProcess()
    {
        _ = Start();
        _time.Advance(s_limit * 2);

        Assert.Equal(["cancel", "The test x exceeded its limit of 00:01:00."], _calls);
    }

    private TimeLimit Start() => new("x", s_limit, _time, () => _calls.Add("cancel"), _calls.Add);
}
