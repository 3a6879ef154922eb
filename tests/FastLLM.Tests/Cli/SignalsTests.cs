using System.Runtime.InteropServices;
using FastLLM.Cli;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class SignalsTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void FirstDrains_SecondAborts_ThirdIsNotHandled()
    {
        using var signals = new Signals(_time, register: false);

        Assert.True(signals.Handle(PosixSignal.SIGINT));
        Assert.True(signals.Drain.IsCancellationRequested);
        Assert.False(signals.Abort.IsCancellationRequested);

        Assert.True(signals.Handle(PosixSignal.SIGINT));
        Assert.True(signals.Abort.IsCancellationRequested);
        Assert.False(signals.Handle(PosixSignal.SIGINT));
    }

    [Theory]
    [InlineData(PosixSignal.SIGTERM)]
    [InlineData(PosixSignal.SIGHUP)]
    public void SigtermOrSighup_AbortsAfter25Seconds(PosixSignal signal)
    {
        using var signals = new Signals(_time, register: false);
        signals.Handle(signal);

        _time.Advance(TimeSpan.FromSeconds(24.9));
        Assert.False(signals.Abort.IsCancellationRequested);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.True(signals.Abort.IsCancellationRequested);
    }

    [Theory]
    [InlineData(PosixSignal.SIGHUP, PosixSignal.SIGHUP)]
    [InlineData(PosixSignal.SIGTERM, PosixSignal.SIGTERM)]
    [InlineData(PosixSignal.SIGINT, PosixSignal.SIGHUP)]
    public void SigtermOrSighup_WhileTheRunDrains_DoesNotAbort(PosixSignal first, PosixSignal then)
    {
        using var signals = new Signals(_time, register: false);
        signals.Handle(first);

        for (var i = 0; i < 5; i++)
        {
            Assert.True(signals.Handle(then));
        }

        Assert.False(signals.Abort.IsCancellationRequested);
        _time.Advance(Signals.MaxDrain);
        Assert.True(signals.Abort.IsCancellationRequested);
    }

    [Fact]
    public void CtrlC_AfterASighup_Aborts()
    {
        using var signals = new Signals(_time, register: false);
        signals.Handle(PosixSignal.SIGHUP);

        Assert.True(signals.Handle(PosixSignal.SIGINT));
        Assert.True(signals.Abort.IsCancellationRequested);
    }

    [Fact]
    public void CtrlC_DoesNotLimitTheDrain()
    {
        using var signals = new Signals(_time, register: false);
        signals.Handle(PosixSignal.SIGINT);

        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(signals.Abort.IsCancellationRequested);
    }

    [Fact]
    public void FailingCallback_IsIgnored()
    {
        using var signals = new Signals(_time, register: false);
        using CancellationTokenRegistration registration = signals.Drain.Register(static () => throw new InvalidOperationException());

        Assert.True(signals.Handle(PosixSignal.SIGINT));
    }
}
