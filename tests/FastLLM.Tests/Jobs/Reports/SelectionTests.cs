using FastLLM.Jobs.Reports;
using Xunit;

namespace FastLLM.Tests.Jobs.Reports;

public sealed class SelectionTests
{
    [Theory]
    [InlineData(100, 5, 100, 5)]
    [InlineData(1000, 20, 100, 20)]
    [InlineData(1000, 500, 100, 90)]
    [InlineData(1000, 1000, 90, 90)]
    public void Takes_FailuresFirst_ThenAnEvenChoice(int rows, int failed, int taken, int failuresTaken)
    {
        var selection = new Selection(maxRows: 100, maxBytes: 1 << 20);
        bool Succeeds(int row) => (row * 7919 % rows) >= failed;
        for (var i = 0; i < rows; i++)
        {
            selection.Count(300, Succeeds(i));
        }

        int[] chosen = [.. Enumerable.Range(0, rows).Where(row => selection.Takes(Succeeds(row)))];

        Assert.InRange(chosen.Length, taken - 2, taken);
        Assert.InRange(chosen.Count(row => !Succeeds(row)), failuresTaken - 1, failuresTaken);
        Assert.InRange(chosen.Count(row => row < rows / 2), taken * 0.3, taken * 0.7);
    }

    [Theory]
    [InlineData(10, 500, 32 * 1024)]
    [InlineData(1000, 4000, 1024)]
    [InlineData(100_000, 4000, 512)]
    public void TextLength_IsTheLongestThatFits(int rows, int lineLength, int length)
    {
        var selection = new Selection(maxRows: 1_000_000, maxBytes: 1 << 20);
        for (var i = 0; i < rows; i++)
        {
            selection.Count(lineLength, succeeded: true);
        }

        Assert.Equal(length, selection.TextLength);
    }
}
