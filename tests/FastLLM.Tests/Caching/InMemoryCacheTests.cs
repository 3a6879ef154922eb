using FastLLM.Pipeline;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Caching;

public sealed class InMemoryCacheConformanceTests : CacheConformance
{
    protected override ValueTask<CacheProvider> CreateAsync() => new(new InMemoryCache());
}

public sealed class LimitedInMemoryCacheConformanceTests : CacheConformance
{
    protected override ValueTask<CacheProvider> CreateAsync() => new(new InMemoryCache(sizeLimit: 10_000_000));
}

public sealed class InMemoryCacheTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SizeLimit_None_RemovesNothing()
    {
        await using var cache = new InMemoryCache();
        for (int i = 0; i < 5000; i++)
        {
            await cache.PutAsync(Key(i), Entry(10, $"s{i % 2}"), Cancel);
        }

        Assert.Equal((null, 5000L, 50_000L, 0L), (cache.SizeLimit, cache.Count, cache.Size, cache.Evicted));
    }

    [Fact]
    public async Task SizeLimit_Exceeded_RemovesTheOldest()
    {
        await using var cache = new InMemoryCache(sizeLimit: 100);
        foreach (int i in Enumerable.Range(0, 10))
        {
            await cache.PutAsync(Key(i), Entry(10), Cancel);
        }

        await cache.GetAsync(Key(0), cancellationToken: Cancel); // being read makes nothing younger
        await cache.PutAsync(Key(10), Entry(25), Cancel);

        Assert.Equal([false, false, false, true, true, true, true, true, true, true, true], await HeldAsync(cache, 11));
        Assert.Equal((8L, 95L, 3L), (cache.Count, cache.Size, cache.Evicted));
    }

    [Fact]
    public async Task PutAsync_Replaced_CountsOnceWithTheNewAge()
    {
        await using var cache = new InMemoryCache(sizeLimit: 30);
        await cache.PutAsync(Key(0), Entry(10), Cancel);
        await cache.PutAsync(Key(1), Entry(10), Cancel);
        await cache.PutAsync(Key(0), Entry(12), Cancel);
        Assert.Equal((2L, 22L, 0L), (cache.Count, cache.Size, cache.Evicted));

        await cache.PutAsync(Key(2), Entry(10), Cancel);
        Assert.Equal([true, false, true], await HeldAsync(cache, 3));
        Assert.Equal((2L, 22L, 1L), (cache.Count, cache.Size, cache.Evicted));
    }

    [Fact]
    public async Task SizeLimit_SeveralScopes_RemovesOneByOne()
    {
        await using var cache = new InMemoryCache(sizeLimit: 30);
        foreach (string scope in (string[])["a", "b", "c", "d", "a"])
        {
            await cache.PutAsync(Key(0), Entry(10, scope), Cancel);
        }

        Assert.False(await cache.ExistsAsync(Key(0), "b", Cancel));
        Assert.True(await cache.ExistsAsync(Key(0), "c", Cancel));
        Assert.True(await cache.ExistsAsync(Key(0), "d", Cancel));
        Assert.True(await cache.ExistsAsync(Key(0), "a", Cancel));
        Assert.Equal((3L, 30L, 2L), (cache.Count, cache.Size, cache.Evicted));
    }

    [Fact]
    public async Task PutAsync_LargerThanTheLimit_IsNotStored()
    {
        await using var cache = new InMemoryCache(sizeLimit: 30);
        await cache.PutAsync(Key(0), Entry(10), Cancel);
        await cache.PutAsync(Key(1), Entry(10), Cancel);
        await cache.PutAsync(Key(1), Entry(31), Cancel);
        await cache.PutAsync(Key(2), Entry(31), Cancel);

        Assert.Equal([true, false, false], await HeldAsync(cache, 3));
        Assert.Equal((1L, 10L, 0L), (cache.Count, cache.Size, cache.Evicted));
        await cache.PutAsync(Key(3), Entry(30), Cancel);
        Assert.Equal([false, false, false, true], await HeldAsync(cache, 4));
    }

    [Fact]
    public async Task ClearAsync_ResetsTheSize()
    {
        await using var cache = new InMemoryCache(sizeLimit: 30);
        await cache.PutAsync(Key(0), Entry(20), Cancel);
        await cache.ClearAsync(Cancel);
        await cache.PutAsync(Key(1), Entry(20), Cancel);

        Assert.Equal((1L, 20L, 0L), (cache.Count, cache.Size, cache.Evicted));
    }

    [Fact]
    public async Task PutAsync_ReplacedManyTimes_TakesNoMemory()
    {
        await using var cache = new InMemoryCache(sizeLimit: 1000);
        CacheEntry entry = Entry(10);
        await cache.PutAsync(Key(0), entry, Cancel);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100_000; i++)
        {
            await cache.PutAsync(Key0, entry, Cancel);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
        Assert.Equal((1L, 10L, 0L), (cache.Count, cache.Size, cache.Evicted));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void SizeLimit_NotPositive_Throws(long limit)
    {
        Assert.Equal("sizeLimit", Assert.Throws<ArgumentOutOfRangeException>(() => new InMemoryCache(limit)).ParamName);
    }

    private static readonly RequestKey Key0 = Key(0);

    private static RequestKey Key(int number) => RequestKey.Compute("/v1/x", System.Text.Encoding.UTF8.GetBytes($"{{\"n\":{number}}}"));

    private static CacheEntry Entry(int length, string scope = "s") => new(new byte[length], scope, 200, DateTimeOffset.UnixEpoch);

    private static async Task<List<bool>> HeldAsync(InMemoryCache cache, int keys)
    {
        var held = new List<bool>();
        for (int i = 0; i < keys; i++)
        {
            held.Add(await cache.ExistsAsync(Key(i), cancellationToken: Cancel));
        }

        return held;
    }
}
