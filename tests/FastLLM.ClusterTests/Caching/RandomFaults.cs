using FastLLM.Cluster.Caching;

namespace FastLLM.ClusterTests.Caching;

/// <summary>Fails commands at random: before the database executes them, or after.</summary>
internal sealed class RandomFaults(int seed, double rate) : ICommandFaults
{
    private readonly Random _random = new(seed);

    public Task BeforeAsync() => MaybeFailAsync();

    public Task AfterAsync() => MaybeFailAsync();

    private async Task MaybeFailAsync()
    {
        double chance;
        lock (_random)
        {
            chance = _random.NextDouble();
        }

        if (chance < rate)
        {
            throw new TimeoutException("A fault of the test.");
        }

        if (chance < 3 * rate)
        {
            await Task.Yield();
        }
    }
}
