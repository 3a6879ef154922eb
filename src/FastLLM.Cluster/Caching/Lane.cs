namespace FastLLM.Cluster.Caching;

/// <summary>Executes items in groups, one group after the other: what arrives while a group is executed shares the next one. An item that
/// arrives at an idle lane is executed at once.</summary>
/// <param name="execute">Executes a group and completes its items. What it throws fails the items that are not complete.</param>
/// <param name="maxItems">How many items a group has at most.</param>
internal sealed class Lane<TItem>(Func<IReadOnlyList<TItem>, Task> execute, int maxItems)
    where TItem : class, ILaneItem
{
    // A group that is larger delays the next; an item may be larger than this alone.
    private const long MaxGroupBytes = 8L << 20;

    // Beyond that, callers wait before their item is accepted: memory is bounded while the database is away.
    private const long MaxQueuedBytes = 64L << 20;

    private readonly Lock _lock = new();
    private readonly Queue<TItem> _queue = new();
    private long _queuedBytes;
    private TaskCompletionSource? _room;
    private Task _running = Task.CompletedTask;
    private bool _isRunning;
    private bool _isClosed;

    /// <summary>Adds an item, once there is room for it.</summary>
    /// <exception cref="ObjectDisposedException">The lane is closed.</exception>
    public ValueTask AddAsync(TItem item) => TryAdd(item) is { } room ? AddLaterAsync(item, room) : default;

    /// <summary>Refuses further items, and waits until the others are executed.</summary>
    public async Task CloseAsync()
    {
        Task running;
        lock (_lock)
        {
            _isClosed = true;
            running = _running;
        }

        await running.ConfigureAwait(false);
    }

    private async ValueTask AddLaterAsync(TItem item, Task room)
    {
        for (Task? wait = room; wait is not null; wait = TryAdd(item))
        {
            await wait.ConfigureAwait(false);
        }
    }

    // Returns what to wait for if there is no room.
    private Task? TryAdd(TItem item)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, typeof(PostgresCache));
            if (_queuedBytes > 0 && _queuedBytes + item.Bytes > MaxQueuedBytes)
            {
                return (_room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            _queue.Enqueue(item);
            _queuedBytes += item.Bytes;
            if (!_isRunning)
            {
                _isRunning = true;
                using (ExecutionContext.SuppressFlow())
                {
                    _running = Task.Run(RunAsync);
                }
            }

            return null;
        }
    }

    private async Task RunAsync()
    {
        List<TItem> group = [];
        while (Take(group))
        {
            try
            {
                await execute(group).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                group.ForEach(item => item.Fail(e));
            }

            Free(group);
        }
    }

    private bool Take(List<TItem> group)
    {
        group.Clear();
        long bytes = 0;
        lock (_lock)
        {
            while (_queue.TryPeek(out TItem? next) && group.Count < maxItems
                && (group.Count == 0 || (bytes + next.Bytes <= MaxGroupBytes && !next.IsAlone && !group[0].IsAlone)))
            {
                group.Add(_queue.Dequeue());
                bytes += next.Bytes;
            }

            return _isRunning = group.Count > 0;
        }
    }

    // Bytes count until they are stored.
    private void Free(List<TItem> group)
    {
        TaskCompletionSource? room;
        lock (_lock)
        {
            foreach (TItem item in group)
            {
                _queuedBytes -= item.Bytes;
            }

            (room, _room) = (_room, null);
        }

        room?.SetResult();
    }
}

/// <summary>Represents an item of a <see cref="Lane{TItem}"/>.</summary>
internal interface ILaneItem
{
    /// <summary>Gets the memory that the item takes.</summary>
    long Bytes { get; }

    /// <summary>Gets a value indicating whether the item is executed in a group of its own.</summary>
    bool IsAlone { get; }

    /// <summary>Fails the item, unless it is complete.</summary>
    void Fail(Exception fault);
}
