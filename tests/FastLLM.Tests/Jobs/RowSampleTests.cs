using FastLLM.Jobs.Input;
using Xunit;

namespace FastLLM.Tests.Jobs;

public sealed class RowSampleTests
{
    [Fact]
    public void Sample_HasItsSize_AndDependsOnTheSeedOnly()
    {
        Assert.Equal(50, Chosen(50, seed: 1).Count);
        Assert.Equal(Chosen(50, seed: 1), Chosen(50, seed: 1));
        Assert.NotEqual(Chosen(50, seed: 1), Chosen(50, seed: 2));
    }

    [Fact]
    public void Sample_LargerOne_ContainsTheSmallerOne() => Assert.Superset(Chosen(50, seed: 7), Chosen(200, seed: 7));

    [Fact]
    public void Sample_LargerThanTheFile_IsTheFile() => Assert.Equal(1_000, Chosen(2_000, seed: 7).Count);

    [Fact]
    public void Sample_IsSpreadOverTheFile() => Assert.InRange(Chosen(200, seed: 3).Count(line => line <= 500), 70, 130);

    private static HashSet<long> Chosen(int size, int seed)
    {
        var sample = new RowSample(size, seed);
        for (long line = 1; line <= 1_000; line++)
        {
            sample.Add(line);
        }

        return [.. Enumerable.Range(1, 1_000).Select(line => (long)line).Where(sample.Contains)];
    }
}
