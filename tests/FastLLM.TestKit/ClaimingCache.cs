namespace FastLLM.TestKit;

/// <summary>A cache in memory that machines share: each of them is an object of its own, made by <see cref="Join"/>.</summary>
public sealed class ClaimingCache : CacheProvider, IClaimingCache
{
    private readonly Shared _shared;

    public ClaimingCache()
        : this(new Shared())
    {
    }

    private ClaimingCache(Shared shared) => _shared = shared;

    /// <summary>Runs before a look-up, a wait or a put.</summary>
    public Func<string, RequestKey, Task>? Before { get; set; }

    /// <summary>Whether the claims that this machine makes from now on are lost at once.</summary>
    public bool LosesClaims { get; set; }

    /// <summary>How many claims are valid.</summary>
    public int Claims
    {
        get
        {
            lock (_shared)
            {
                return _shared.Claims.Count;
            }
        }
    }

    /// <summary>How many requests wait for the claims of others.</summary>
    public Gauge Waiting => _shared.Waiting;

    /// <summary>Another machine.</summary>
    public ClaimingCache Join() => new(_shared);

    public override async ValueTask<bool> ExistsAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default) =>
        await GetAsync(key, scope, cancellationToken) is not null;

    public override ValueTask<CacheEntry?> GetAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default)
    {
        lock (_shared)
        {
            return new(_shared.Entries.TryGetValue(key, out (CacheEntry Entry, long Version) found) ? found.Entry : null);
        }
    }

    public override async ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default)
    {
        await (Before?.Invoke("put", key) ?? Task.CompletedTask);
        lock (_shared)
        {
            _shared.Entries[key] = (entry, ++_shared.Version);
            if (_shared.Claims.TryGetValue(key, out Claim? claim) && claim.Owner == this)
            {
                _shared.End(key);
            }
        }
    }

    public async ValueTask<CacheLookup> GetOrClaimAsync(RequestKey key, string scope, long replaced = 0, CancellationToken cancellationToken = default)
    {
        await (Before?.Invoke("get", key) ?? Task.CompletedTask);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_shared)
        {
            if (_shared.Entries.TryGetValue(key, out (CacheEntry Entry, long Version) found) && found.Version != replaced)
            {
                return new CacheLookup(found.Entry, null) { Version = found.Version, RecordedAt = found.Entry.CreatedAt };
            }

            return _shared.Claims.ContainsKey(key) ? default
                : new CacheLookup(null, _shared.Claims[key] = new Claim(_shared, this, key) { Lost = LosesClaims });
        }
    }

    public async ValueTask<CacheLookup> WaitOrClaimAsync(RequestKey key, string scope, long replaced = 0, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task ended;
            lock (_shared)
            {
                ended = _shared.Claims.TryGetValue(key, out Claim? claim) ? claim.Ended.Task : Task.CompletedTask;
            }

            Waiting.Add(1);
            try
            {
                await ended.WaitAsync(cancellationToken);
            }
            finally
            {
                Waiting.Add(-1);
            }

            CacheLookup found = await GetOrClaimAsync(key, scope, replaced, cancellationToken);
            if (!found.IsTaken)
            {
                return found;
            }
        }
    }

    public override ValueTask ClearAsync(CancellationToken cancellationToken = default)
    {
        lock (_shared)
        {
            _shared.Entries.Clear();
            return default;
        }
    }

    public override ValueTask CloseAsync(CancellationToken cancellationToken = default) => default;

    private sealed class Shared
    {
        public Dictionary<RequestKey, (CacheEntry Entry, long Version)> Entries { get; } = [];

        public Dictionary<RequestKey, Claim> Claims { get; } = [];

        public Gauge Waiting { get; } = new();

        public long Version { get; set; }

        public void End(RequestKey key)
        {
            Claims.Remove(key, out Claim? claim);
            claim!.Ended.SetResult();
        }
    }

    private sealed class Claim(Shared shared, ClaimingCache owner, RequestKey key) : CacheClaim
    {
        public ClaimingCache Owner => owner;

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Lost { get; init; }

        public override bool IsLost => Lost;

        public override void Release()
        {
            lock (shared)
            {
                if (shared.Claims.GetValueOrDefault(key) == this)
                {
                    shared.End(key);
                }
            }
        }
    }
}
