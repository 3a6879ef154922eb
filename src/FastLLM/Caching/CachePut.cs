namespace FastLLM.Caching;

/// <summary>Represents an entry to be written, as the values of a row.</summary>
internal readonly record struct CachePut(
    byte[] Key, byte[] Scope, int Status, byte[] Model, long Created, byte[] Digest, ReadOnlyMemory<byte> Body)
{
    public static CachePut Of(RequestKey key, in CacheEntry entry)
    {
        var bytes = new byte[RequestKey.Size];
        key.CopyTo(bytes);
        byte[] scope = EntryDigest.Utf8(entry.Scope);
        byte[] model = EntryDigest.Utf8(entry.Model);
        return new CachePut(
            bytes, scope, entry.StatusCode, model, entry.CreatedAt.ToUnixTimeMilliseconds(),
            EntryDigest.Compute(bytes, scope, model, entry), entry.Body);
    }

    /// <summary>Runs a statement whose parameters are the columns of <see cref="CacheDatabase.Columns"/>.</summary>
    public void Run(Statement insert) => insert.Bind(1, Key).BindText(2, Scope).Bind(3, Status).BindText(4, Model)
        .Bind(5, Created).Bind(6, Digest).Bind(7, Body.Span).Run();
}
