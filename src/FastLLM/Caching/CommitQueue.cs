namespace FastLLM.Caching;

/// <summary>Collects entries and other changes for the writer: everything that arrives during a commit shares the next one.</summary>
internal sealed class CommitQueue
{
    /// <summary>How long entries may wait for others to share their commit.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMilliseconds(5);

    private const int MaxPuts = 500;
    private const int BusyFrom = 16;
    private const long MaxBytes = 8L << 20;

    private readonly object _gate = new();
    private Commit _next = new();
    private bool _isBusy;
    private bool _isClosing;

    /// <summary>Adds an entry; the task completes when it is committed.</summary>
    public Task Add(in CachePut put)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosing, typeof(DiskCache));
            _next.Puts.Add(put);
            _next.Bytes += put.Body.Length;
            if (_next.Puts.Count == 1 || _next.IsLarge)
            {
                Monitor.Pulse(_gate);
            }

            return _next.Done.Task;
        }
    }

    /// <summary>Adds another change, to be made when all earlier entries are committed.</summary>
    public Task Add(Action<CacheDatabase> change)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosing, typeof(DiskCache));
            _next.Changes.Add(change);
            Monitor.Pulse(_gate);
            return _next.ChangesDone.Task;
        }
    }

    /// <summary>Refuses further entries, and lets <see cref="Take"/> return <see langword="null"/> when the queue is empty.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosing = true;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Waits for the next commit; <see langword="null"/> when the queue is closed and empty.</summary>
    public Commit? Take()
    {
        lock (_gate)
        {
            while (_next.IsEmpty && !_isClosing)
            {
                Monitor.Wait(_gate);
            }

            // Under load, a short wait turns many small commits into few large ones.
            if (_isBusy && !_isClosing && !_next.IsLarge && _next.Changes.Count == 0)
            {
                Monitor.Wait(_gate, Window);
            }

            Commit commit = _next;
            if (commit.IsEmpty)
            {
                return null;
            }

            _isBusy = commit.Puts.Count >= BusyFrom;
            _next = new Commit();
            return commit;
        }
    }

    /// <summary>Represents the entries and changes of one commit.</summary>
    internal sealed class Commit
    {
        public List<CachePut> Puts { get; } = [];

        public List<Action<CacheDatabase>> Changes { get; } = [];

        public long Bytes { get; set; }

        public bool IsEmpty => Puts.Count == 0 && Changes.Count == 0;

        public bool IsLarge => Puts.Count >= MaxPuts || Bytes >= MaxBytes;

        // Continuations run on other threads: the writer has more to write.
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource ChangesDone { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
