namespace FastLLM;

/// <summary>Base class for caches of responses, which prevent paying twice for the same request.</summary>
/// <remarks>
/// <para>An entry belongs to a key (the request) and a scope (the endpoint). The manager looks up entries with its provider's scope, so
/// that one cache serves all endpoints separately; without a scope, any entry of the key is found.</para>
/// <para>Implementations must be safe for concurrent use. When <see cref="PutAsync"/> completes, the entry must be as durable
/// as the cache promises; a later put of the same key and scope replaces the earlier one. An exception stops the run, before
/// more is paid for. Values are bytes, never serialized objects: reading a cache executes no code from it.</para>
/// </remarks>
public abstract class CacheProvider : IAsyncDisposable
{
    /// <summary>Returns whether there is an entry.</summary>
    /// <param name="key">The key of the request.</param>
    /// <param name="scope">The endpoint; <see langword="null"/> for any.</param>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    public abstract ValueTask<bool> ExistsAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default);

    /// <summary>Returns whether there is an entry.</summary>
    /// <param name="requestId">A request id, as returned by <see cref="RequestBatch.Add(LlmRequest)"/> and
    /// <see cref="ResponseWrapper.RequestId"/>. Any other text is not found.</param>
    /// <param name="scope">The endpoint; <see langword="null"/> for any.</param>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    public ValueTask<bool> ExistsAsync(string requestId, string? scope = null, CancellationToken cancellationToken = default) =>
        RequestKey.TryParse(requestId, out RequestKey key) ? ExistsAsync(key, scope, cancellationToken) : new ValueTask<bool>(false);

    /// <summary>Gets an entry, or <see langword="null"/>.</summary>
    /// <param name="key">The key of the request.</param>
    /// <param name="scope">The endpoint; <see langword="null"/> for any.</param>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    public abstract ValueTask<CacheEntry?> GetAsync(RequestKey key, string? scope = null, CancellationToken cancellationToken = default);

    /// <summary>Gets an entry, or <see langword="null"/>.</summary>
    /// <param name="requestId">A request id. Any other text is not found.</param>
    /// <param name="scope">The endpoint; <see langword="null"/> for any.</param>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    public ValueTask<CacheEntry?> GetAsync(string requestId, string? scope = null, CancellationToken cancellationToken = default) =>
        RequestKey.TryParse(requestId, out RequestKey key) ? GetAsync(key, scope, cancellationToken)
            : new ValueTask<CacheEntry?>((CacheEntry?)null);

    /// <summary>Stores an entry. The entry is stored when the task completes.</summary>
    /// <param name="key">The key of the request.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="cancellationToken">Stops waiting for the result; the entry may still be stored.</param>
    public abstract ValueTask PutAsync(RequestKey key, CacheEntry entry, CancellationToken cancellationToken = default);

    /// <summary>Removes all entries.</summary>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    public abstract ValueTask ClearAsync(CancellationToken cancellationToken = default);

    /// <summary>Completes pending operations and releases files and memory. The cache cannot be used afterwards; closing it again does
    /// nothing.</summary>
    /// <param name="cancellationToken">Stops waiting for the result.</param>
    public abstract ValueTask CloseAsync(CancellationToken cancellationToken = default);

    /// <summary>Closes the cache.</summary>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }
}
