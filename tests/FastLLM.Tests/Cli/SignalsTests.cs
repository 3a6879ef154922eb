using System.Runtime.InteropServices;
using FastLLM.Cli;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class SignalsTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void FirstDrains_SecondAborts_ThirdIsLeftToTheSystem()
    {
        using var signals = new Signals(_time, register: false);

        Assert.True(signals.Arrived(PosixSignal.SIGINT));
        Assert.True(signals.Drain.IsCancellationRequested);
        Assert.False(signals.Abort.IsCancellationRequested);

        Assert.True(signals.Arrived(PosixSignal.SIGINT));
        Assert.True(signals.Abort.IsCancellationRequested);
        Assert.False(signals.Arrived(PosixSignal.SIGINT));
    }

    [Fact]
    public void AfterSigterm_TheDrainHas25Seconds()
    {
        using var signals = new Signals(_time, register: false);
        signals.Arrived(PosixSignal.SIGTERM);

        _time.Advance(TimeSpan.FromSeconds(24.9));
        Assert.False(signals.Abort.IsCancellationRequested);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.True(signals.Abort.IsCancellationRequested);
    }

    [Fact]
    public void AfterCtrlC_TheDrainHasAllTheTimeItNeeds()
    {
        using var signals = new Signals(_time, register: false);
        signals.Arrived(PosixSignal.SIGINT);

        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(signals.Abort.IsCancellationRequested);
    }

    [Fact]
    public void AListenerThatThrows_EndsNothing()
    {
        using var signals = new Signals(_time, register: false);
        using CancellationTokenRegistration registration = signals.Drain.Register(static () => throw new InvalidOperationException());

        Assert.True(signals.Arrived(PosixSignal.SIGINT));
    }
}
