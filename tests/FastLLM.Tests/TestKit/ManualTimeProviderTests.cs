using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class ManualTimeProviderTests
{
    private readonly ManualTimeProvider _time = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Advance_FiresTimersInOrder()
    {
        var fired = new List<(string, TimeSpan)>();
        using ITimer late = At("late", 30);
        using ITimer early = At("early", 10);
        using ITimer earlyToo = At("early too", 10);

        _time.Advance(TimeSpan.FromMilliseconds(20));
        Assert.Equal([("early", Ms(10)), ("early too", Ms(10))], fired);
        Assert.Equal(Ms(10), _time.NextDue);

        Assert.True(_time.AdvanceToNext());
        Assert.Equal(("late", Ms(30)), fired[^1]);
        Assert.False(_time.AdvanceToNext());
        Assert.Equal(Ms(30), _time.Elapsed);

        ITimer At(string name, int ms) => _time.CreateTimer(_ => fired.Add((name, _time.Elapsed)), null, Ms(ms), Timeout.InfiniteTimeSpan);
    }

    [Fact]
    public void Advance_FiresTimersSetByCallbacks()
    {
        int count = 0;
        ITimer? timer = null;
        timer = _time.CreateTimer(_ => timer!.Change(++count < 5 ? Ms(1) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan), null, Ms(1), Timeout.InfiniteTimeSpan);
        _time.Advance(Ms(100));
        Assert.Equal(5, count);
        Assert.Equal(Ms(100), _time.Elapsed);
        timer.Dispose();
    }

    [Fact]
    public void Timers_RepeatAndChange()
    {
        int fired = 0;
        ITimer timer = _time.CreateTimer(_ => fired++, null, Ms(5), Ms(10));
        _time.Advance(Ms(25));
        Assert.Equal(3, fired);

        Assert.True(timer.Change(Ms(1), Timeout.InfiniteTimeSpan));
        _time.Advance(Ms(100));
        Assert.Equal(4, fired);
        Assert.Equal(0, _time.ActiveTimers);

        timer.Change(Ms(1), Ms(1));
        timer.Dispose();
        _time.Advance(Ms(100));
        Assert.Equal(4, fired);
        Assert.False(timer.Change(Ms(1), Ms(1)));
        Assert.Null(_time.NextDue);
    }

    [Fact]
    public async Task WaitForTimersAsync_CompletesWhenTimersAreSet()
    {
        Task armed = _time.WaitForTimersAsync(2, Cancel);
        Task first = Task.Delay(Ms(1), _time, Cancel);
        Assert.False(armed.IsCompleted);
        Task second = Task.Delay(Ms(2), _time, Cancel);
        await armed;
        await _time.WaitForTimersAsync(2, Cancel);

        _time.Advance(Ms(2));
        await first;
        await second;
    }

    [Fact]
    public void Advance_MovesTimestampAndTimeTogether()
    {
        long before = _time.GetTimestamp();
        DateTimeOffset now = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromDays(100));
        Assert.Equal(now + TimeSpan.FromDays(100), _time.GetUtcNow());
        Assert.Equal(TimeSpan.FromDays(100).TotalSeconds, _time.GetElapsedTime(before).TotalSeconds, 1e-5);
        Assert.NotEqual(TimeSpan.TicksPerSecond, _time.TimestampFrequency);
    }

    [Fact]
    public async Task Advance_ManyTimers_FiresAll()
    {
        Task[] waits = [.. Enumerable.Range(0, 100_000).Select(i => Task.Delay(Ms(1 + (i * 7919 % 3_600_000)), _time, Cancel))];
        Assert.Equal(100_000, _time.ActiveTimers);
        _time.Advance(TimeSpan.FromHours(1));
        await Task.WhenAll(waits);
        Assert.Equal(0, _time.ActiveTimers);
    }

    [Fact]
    public async Task CreateTimer_DueNow_FiresAtOnce()
    {
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using ITimer timer = _time.CreateTimer(_ => fired.SetResult(), null, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        await fired.Task.WaitAsync(Cancel);
    }

    private static TimeSpan Ms(int ms) => TimeSpan.FromMilliseconds(ms);
}
