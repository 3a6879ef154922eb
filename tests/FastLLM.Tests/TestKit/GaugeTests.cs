using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class GaugeTests
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WaitForAsync_CompletesWhenTheValueIsReached()
    {
        var gauge = new Gauge();
        Task two = gauge.WaitForAsync(2, Ended);
        gauge.Add(1);
        Assert.False(two.IsCompleted);

        gauge.Add(1);
        await two;
        gauge.Add(-1);

        Assert.Equal((1, 2), (gauge.Value, gauge.Peak));
        Assert.True(gauge.WaitForAsync(1, Ended).IsCompleted);
    }

    [Fact]
    public async Task WaitForAsync_Canceled_Throws()
    {
        using var cancel = new CancellationTokenSource();
        Task never = new Gauge().WaitForAsync(1, cancel.Token);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => never);
    }
}
