using FastLLM.RateLimiting;
using Xunit;

namespace FastLLM.Tests.RateLimiting;

public sealed class PacerTests
{
    private readonly Pacer _pacer = new();

    [Fact]
    public void Wait_NoRate_IsZero()
    {
        _pacer.Sent(1);

        Assert.Equal(0, _pacer.Wait(1));
        Assert.False(_pacer.HasHeldBack);
    }

    [Fact]
    public void Wait_AfterSends_IsTheGap()
    {
        _pacer.Set(10, 1);
        _pacer.Sent(1.08);
        _pacer.Sent(1.16);

        Assert.Equal(0.1, _pacer.Wait(1.16), 6);
        Assert.True(_pacer.HasHeldBack);
        Assert.Equal(0, _pacer.Wait(1.26));
    }

    [Fact]
    public void Wait_AfterAPause_AllowsNoBurst()
    {
        _pacer.Set(10, 1);
        _pacer.Sent(60);

        Assert.InRange(_pacer.Wait(60), 0.079, 0.1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1e-9)]
    [InlineData(double.NaN)]
    public void Wait_AtAnyRate_IsNoStandstill(double rate)
    {
        _pacer.Set(rate, 1);
        _pacer.Sent(1);

        Assert.InRange(_pacer.Wait(1), 9, 10);
    }
}
