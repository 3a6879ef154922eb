using FastLLM.Cluster.Caching;
using Xunit;

namespace FastLLM.Tests.Cluster.Caching;

/// <summary>What arrives while a group is executed shares the next group.</summary>
public sealed class LaneTests : IDisposable
{
    private readonly List<int[]> _groups = [];
    private readonly SemaphoreSlim _begun = new(0);
    private readonly SemaphoreSlim _end = new(0);

    public void Dispose()
    {
        _begun.Dispose();
        _end.Dispose();
    }

    [Fact]
    public async Task ItemsThatArriveMeanwhile_ShareTheNextGroup()
    {
        var lane = new Lane<Item>(ExecuteAsync, maxItems: 3);

        await lane.AddAsync(new Item(1));
        await _begun.WaitAsync(TestContext.Current.CancellationToken);
        Item[] items = [.. Enumerable.Range(2, 4).Select(i => new Item(i))];
        foreach (Item item in items)
        {
            await lane.AddAsync(item);
        }

        _end.Release(3);
        await Task.WhenAll(items.Select(item => item.Task));

        Assert.Equal([[1], [2, 3, 4], [5]], _groups);
    }

    [Fact]
    public async Task ItemThatIsAlone_DividesGroups()
    {
        var lane = new Lane<Item>(ExecuteAsync, maxItems: 10);
        Item[] items = [new Item(1), new Item(2), new Item(3), new Item(4) { IsAlone = true }, new Item(5)];
        foreach (Item item in items[..1])
        {
            await lane.AddAsync(item);
        }

        await _begun.WaitAsync(TestContext.Current.CancellationToken);
        foreach (Item item in items[1..])
        {
            await lane.AddAsync(item);
        }

        _end.Release(4);
        await Task.WhenAll(items.Select(item => item.Task));

        Assert.Equal([[1], [2, 3], [4], [5]], _groups);
    }

    [Fact]
    public async Task ItemWithoutRoom_IsAddedWhenOthersAreExecuted()
    {
        var lane = new Lane<Item>(ExecuteAsync, maxItems: 10);
        var first = new Item(1) { Bytes = 50 << 20 };
        var second = new Item(2) { Bytes = 50 << 20 };

        await lane.AddAsync(first);
        ValueTask adding = lane.AddAsync(second);
        Assert.False(adding.IsCompleted);
        _end.Release(2);
        await adding;
        await second.Task;

        Assert.Equal([[1], [2]], _groups);
    }

    [Fact]
    public async Task Failure_FailsTheItemsOfTheGroup()
    {
        var lane = new Lane<Item>(_ => throw new IOException("no"), maxItems: 10);
        var item = new Item(1);
        await lane.AddAsync(item);

        Assert.Equal("no", (await Assert.ThrowsAsync<IOException>(() => item.Task)).Message);
    }

    [Fact]
    public async Task ClosedLane_ExecutesWhatItHas_AndRefusesTheRest()
    {
        var lane = new Lane<Item>(ExecuteAsync, maxItems: 10);
        var item = new Item(1);
        await lane.AddAsync(item);
        Task closing = lane.CloseAsync();
        _end.Release(1);
        await closing;

        Assert.True(item.Task.IsCompletedSuccessfully);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await lane.AddAsync(new Item(2)));
    }

    private async Task ExecuteAsync(IReadOnlyList<Item> group)
    {
        _groups.Add([.. group.Select(item => item.Number)]);
        _begun.Release();
        await _end.WaitAsync();
        foreach (Item item in group)
        {
            item.SetResult();
        }
    }

    private sealed class Item(int number) : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), ILaneItem
    {
        public int Number => number;

        public long Bytes { get; init; }

        public bool IsAlone { get; init; }

        public void Fail(Exception fault) => TrySetException(fault);
    }
}
