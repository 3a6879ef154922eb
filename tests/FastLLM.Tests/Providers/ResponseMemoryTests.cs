using FastLLM.Providers;
using FastLLM.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>Large answers share one memory: who needs more than is left waits, and the oldest never does.</summary>
public sealed class ResponseMemoryTests : IDisposable
{
    private const long Megabyte = 1 << 20;

    private readonly ManualTimeProvider _time = new();
    private readonly AttemptClock _clock;
    private readonly Transport _transport;

    public ResponseMemoryTests()
    {
        _clock = new AttemptClock(_time);
        _transport = new Transport(new RequestManagerOptions { MaxResponseMemory = 10 * Megabyte, TimeProvider = _time }, NullLogger.Instance);
    }

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _transport.Dispose();
        _clock.Dispose();
    }

    [Fact]
    public void SmallResponses_DoNotCount()
    {
        Attempt attempt = Begin();

        Assert.True(Take(attempt, ResponseMemory.Free).IsCompletedSuccessfully);
        Assert.Null(attempt.Memory);
    }

    [Fact]
    public void OldestResponse_MayExceedLimit()
    {
        Attempt attempt = Begin();

        Assert.True(Take(attempt, 60 * Megabyte).IsCompletedSuccessfully);
        Assert.Equal(60 * Megabyte, _transport.Memory.Used);
    }

    [Fact]
    public async Task ResponseThatDoesNotFit_WaitsForOthers()
    {
        Attempt first = Begin(), second = Begin();
        Assert.True(Take(first, 8 * Megabyte).IsCompletedSuccessfully);

        Task waits = Take(second, 5 * Megabyte);
        Assert.False(waits.IsCompleted);
        first.Memory!.Release();
        await waits;

        Assert.Equal(5 * Megabyte, _transport.Memory.Used);
    }

    [Fact]
    public async Task GrowingResponses_DoNotDeadlock()
    {
        Attempt first = Begin(), second = Begin();
        Assert.True(Take(first, 5 * Megabyte).IsCompletedSuccessfully);
        Assert.True(Take(second, 5 * Megabyte).IsCompletedSuccessfully);

        Task younger = Take(second, 9 * Megabyte);
        Assert.True(Take(first, 30 * Megabyte).IsCompletedSuccessfully);
        Assert.False(younger.IsCompleted);
        first.Memory!.Release();
        await younger;
    }

    [Fact]
    public async Task WaitingResponse_GoesBeforeNewOnes()
    {
        Attempt first = Begin(), second = Begin(), third = Begin();
        Assert.True(Take(first, 9 * Megabyte).IsCompletedSuccessfully);
        Task large = Take(second, 6 * Megabyte);

        Task small = Take(third, 1 * Megabyte);
        Assert.False(small.IsCompleted);
        first.Memory!.Shrink(3 * Megabyte);
        await large;
        await small;
    }

    [Fact]
    public async Task CanceledWait_AdmitsTheNext()
    {
        using var leaves = new CancellationTokenSource();
        Attempt first = Begin(), second = Begin(), third = Begin();
        Assert.True(Take(first, 8 * Megabyte).IsCompletedSuccessfully);
        Task large = ResponseMemory.TakeAsync(second, 9 * Megabyte, leaves.Token).AsTask();
        Task small = Take(third, 1 * Megabyte);

        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        await small;
        second.Memory!.Release();
        third.Memory!.Release();
        first.Memory!.Release();

        Assert.Equal(0, _transport.Memory.Used);
    }

    [Fact]
    public async Task Timeouts_StopDuringWait()
    {
        Attempt first = Begin(), second = Begin();
        Assert.True(Take(first, 9 * Megabyte).IsCompletedSuccessfully);
        second.Begin(TimeSpan.FromSeconds(30), "Timeout");
        _time.Advance(TimeSpan.FromSeconds(20));

        Task waits = Take(second, 5 * Megabyte);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(second.Token.IsCancellationRequested);
        first.Memory!.Release();
        await waits;

        _time.Advance(TimeSpan.FromSeconds(9.9));
        Assert.False(second.Token.IsCancellationRequested);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.True(second.Token.IsCancellationRequested);
        Assert.InRange(second.End(), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30.2));
    }

    [Fact]
    public async Task ManyResponses_TakeAtMostLimitAndOne()
    {
        long most = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, 400), Ended, async (number, token) =>
        {
            Attempt attempt = Begin();
            for (long size = Megabyte; size <= (1 + (number % 5)) * Megabyte; size += Megabyte)
            {
                await ResponseMemory.TakeAsync(attempt, size, token);
                InterlockedMax(ref most, _transport.Memory.Used);
            }

            attempt.Memory!.Release();
        });

        Assert.InRange(most, Megabyte, 15 * Megabyte);
        Assert.Equal(0, _transport.Memory.Used);
    }

    private static void InterlockedMax(ref long most, long value)
    {
        long seen = Volatile.Read(ref most);
        while (value > seen)
        {
            long found = Interlocked.CompareExchange(ref most, value, seen);
            if (found == seen)
            {
                return;
            }

            seen = found;
        }
    }

    private Attempt Begin()
    {
        var attempt = new Attempt(_transport, _clock, new AttemptTimes(null, null));
        _clock.Add(attempt);
        return attempt;
    }

    private static Task Take(Attempt attempt, long bytes) => ResponseMemory.TakeAsync(attempt, bytes, Ended).AsTask();
}
