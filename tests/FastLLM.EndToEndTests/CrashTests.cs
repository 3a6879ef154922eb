using FastLLM.TestKit.Crash;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>The short form of the proof in docs/durability.md; the long one is bench/crash.sh.</summary>
public sealed class CrashTests
{
    // Another one each run would make failures that nobody can repeat; the moments differ all the same.
    private const int Seed = 20261123;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Kill_AtAnyMoment_LosesNothingAcknowledged(bool withoutCache)
    {
        CrashReport report = await CrashProof.RunAsync(new CrashOptions
        {
            Kills = withoutCache ? 4 : 12,
            PerPoint = 1,
            Rows = 400,
            Latency = TimeSpan.FromMilliseconds(40),
            Seed = Seed,
            WithoutCache = withoutCache,
        });

        TestContext.Current.TestOutputHelper?.WriteLine(report.Table());
        Assert.Empty(report.Violations);
        Assert.Equal(0, report.Lost);
        Assert.Equal(0, report.Foreign);
        Assert.Equal((withoutCache ? 4 : 12) + CrashProof.Points(withoutCache).Count, report.Kills);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    public async Task Kill_OfOneOfSeveralProcesses_KeepsTheSharedCacheSound(int processes)
    {
        var options = new CrashOptions { Rows = 400, Latency = TimeSpan.FromMilliseconds(40), Seed = Seed };

        SharedCacheReport report = await SharedCacheProof.RunAsync(options, processes);

        TestContext.Current.TestOutputHelper?.WriteLine($"{SharedCacheReport.Header}\n{report}");
        Assert.Empty(report.Violations);
        Assert.Equal("ok", report.Integrity);
        Assert.InRange(report.Sends, options.Rows, options.Rows * processes);
    }
}
