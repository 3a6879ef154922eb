namespace FastLLM;

/// <summary>Keeps responses, so that the same question is not paid for twice.</summary>
/// <remarks>
/// <para>An entry belongs to a key (what was asked) and a scope (who was asked). The manager looks up with its provider's scope, so
/// that one cache serves all endpoints and none answers for another; without a scope, any entry of the key is found.</para>
/// <para>Contract for implementations: safe for concurrent use; when <see cref="PutAsync"/> has completed, the entry is as durable
/// as the cache promises; a later put of the same key and scope replaces the earlier. An exception stops the run that met it, before
/// more is paid for. Values are bytes, never serialised objects: reading a cache runs nobody's code.</para>
/// </remarks>
public abstract class CacheProvider : IAsyncDisposable
{
    /// <summary>Tells whether there is an entry.</summary>
    /// <param name="key">What was asked.</param>
    /// <param name="scope">Who was asked; <see langword="null"/> for anybody.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public abstract ValueTask<bool> ExistsAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default);

    /// <summary>Tells whether there is an entry.</summary>
    /// <param name="requestId">A request id, as <see cref="RequestBatch.Add"/> and <see cref="ResponseWrapper.RequestId"/> give it. What is none is not found.</param>
    /// <param name="scope">Who was asked; <see langword="null"/> for anybody.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public ValueTask<bool> ExistsAsync(string requestId, string? scope = null, CancellationToken cancellationToken = default) =>
        RequestKey.TryParse(requestId, out RequestKey key) ? ExistsAsync(key, scope, cancellationToken) : new ValueTask<bool>(false);

    /// <summary>Gets an entry, or <see langword="null"/>.</summary>
    /// <param name="key">What was asked.</param>
    /// <param name="scope">Who was asked; <see langword="null"/> for anybody.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public abstract ValueTask<CacheEntry?> GetAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default);

    /// <summary>Gets an entry, or <see langword="null"/>.</summary>
    /// <param name="requestId">A request id. What is none is not found.</param>
    /// <param name="scope">Who was asked; <see langword="null"/> for anybody.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public ValueTask<CacheEntry?> GetAsync(string requestId, string? scope = null, CancellationToken cancellationToken = default) =>
        RequestKey.TryParse(requestId, out RequestKey key) ? GetAsync(key, scope, cancellationToken) : new ValueTask<CacheEntry?>((CacheEntry?)null);

    /// <summary>Keeps an entry. Completed means kept.</summary>
    /// <param name="key">What was asked.</param>
    /// <param name="entry">What was answered, and by whom.</param>
    /// <param name="cancellationToken">Stops the waiting; the entry may be kept all the same.</param>
    public abstract ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default);

    /// <summary>Removes all entries.</summary>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public abstract ValueTask ClearAsync(CancellationToken cancellationToken = default);

    /// <summary>Finishes what is under way and lets go of files and memory. The cache cannot be used afterwards; closing it again does nothing.</summary>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public abstract ValueTask CloseAsync(CancellationToken cancellationToken = default);

    /// <summary>Closes the cache.</summary>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }
}
