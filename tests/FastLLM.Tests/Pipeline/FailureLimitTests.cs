using FastLLM.Pipeline;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>How many rows may fail.</summary>
public sealed class FailureLimitTests
{
    [Theory]
    [InlineData(94, 5, 1, 100)]
    [InlineData(11, 50, 300, 100)]
    [InlineData(10, 300, 0, null)]
    [InlineData(94, 5, 0, null)]
    public void Share_AppliesOnceAHundredRowsHaveFinished_WhicheverRowThatIs(int failed, int succeededBefore, int succeededAfter, int? stopsAt)
    {
        var limit = new FailureLimit(maxErrors: null, maxShare: 0.1);

        int? stopped = null;
        var finished = 0;
        foreach (bool isFailure in Enumerable.Repeat(false, succeededBefore).Concat(Enumerable.Repeat(true, failed)).Concat(Enumerable.Repeat(false, succeededAfter)))
        {
            finished++;
            stopped ??= limit.Count(isFailure)?.Kind == FailureKind.TooManyFailures ? finished : null;
        }

        Assert.Equal(stopsAt, stopped);
    }

    [Fact]
    public void Number_StopsAtTheRowThatIsOneTooMany()
    {
        var limit = new FailureLimit(maxErrors: 2, maxShare: null);

        Assert.Equal(
            [false, false, false, true],
            new[] { true, false, true, true }.Select(isFailure => limit.Count(isFailure) is not null));
    }
}
