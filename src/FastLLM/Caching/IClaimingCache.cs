namespace FastLLM;

/// <summary>Represents a cache that several processes or machines share, and in which a request is claimed before it is sent, so that equal
/// requests on different machines are sent once.</summary>
/// <remarks>
/// <para>A <see cref="CacheProvider"/> may implement it; managers find out. A claim belongs to a key and a scope. It ends when an entry of the
/// key and scope is put by the cache object that holds it, when it is released, or when it expires because its holder has died.</para>
/// <para>Failures are not shared: when a claim is released without an entry, one of the waiting machines gets the next claim.</para>
/// </remarks>
public interface IClaimingCache
{
    /// <summary>Gets an entry; if there is none, claims its key.</summary>
    /// <param name="key">The key of the request.</param>
    /// <param name="scope">The endpoint.</param>
    /// <param name="replaced">The <see cref="CacheLookup.Version"/> of an entry that counts as missing, because it is requested again; 0 for
    /// none.</param>
    /// <param name="cancellationToken">Stops waiting for the result. A claim that was made meanwhile is released.</param>
    /// <returns>The entry; or the claim; or neither, if another holder's claim is valid.</returns>
    ValueTask<CacheLookup> GetOrClaimAsync(RequestKey key, string scope, long replaced = 0, CancellationToken cancellationToken = default);

    /// <summary>Waits until another holder's claim has ended; then gets the entry, or claims the key.</summary>
    /// <inheritdoc cref="GetOrClaimAsync"/>
    /// <returns>The entry, or the claim.</returns>
    ValueTask<CacheLookup> WaitOrClaimAsync(RequestKey key, string scope, long replaced = 0, CancellationToken cancellationToken = default);
}
