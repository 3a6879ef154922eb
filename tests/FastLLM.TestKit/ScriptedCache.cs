namespace FastLLM.TestKit;

/// <summary>A cache that does what it is told before it does what a cache does: fails on cue, or waits for a signal.</summary>
public sealed class ScriptedCache : CacheProvider
{
    private readonly InMemoryCache _inner = new();
    private readonly Gauge _puts = new();

    /// <summary>Runs before a look-up.</summary>
    public Func<RequestKey, Task>? BeforeGet { get; set; }

    /// <summary>Runs before an entry is kept.</summary>
    public Func<RequestKey, Task>? BeforePut { get; set; }

    /// <summary>Whether it was closed.</summary>
    public bool IsClosed { get; private set; }

    /// <inheritdoc/>
    public override ValueTask<bool> ExistsAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default) =>
        _inner.ExistsAsync(key, scope, cancellationToken);

    /// <inheritdoc/>
    public override async ValueTask<CacheEntry?> GetAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default)
    {
        await (BeforeGet?.Invoke(key) ?? Task.CompletedTask);
        return await _inner.GetAsync(key, scope, cancellationToken);
    }

    /// <inheritdoc/>
    public override async ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default)
    {
        await (BeforePut?.Invoke(key) ?? Task.CompletedTask);
        await _inner.PutAsync(key, entry, cancellationToken);
        _puts.Add(1);
    }

    /// <summary>Completes when at least <paramref name="count"/> entries have been kept.</summary>
    public Task WaitForPutsAsync(int count, CancellationToken cancellationToken = default) => _puts.WaitForAsync(count, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask ClearAsync(CancellationToken cancellationToken = default) => _inner.ClearAsync(cancellationToken);

    /// <inheritdoc/>
    public override ValueTask CloseAsync(CancellationToken cancellationToken = default)
    {
        IsClosed = true;
        return _inner.CloseAsync(cancellationToken);
    }
}
