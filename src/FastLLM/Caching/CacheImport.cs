using FastLLM.Pipeline;

namespace FastLLM.Caching;

/// <summary>Brings in rows from elsewhere: a damaged database, or another cache. The newer of two answers to one question counts.</summary>
internal static class CacheImport
{
    public const string InsertNewer =
        $"""
        INSERT INTO answers({CacheDatabase.Columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT(key, scope) DO UPDATE SET status=excluded.status, model=excluded.model, created=excluded.created, digest=excluded.digest, body=excluded.body
        WHERE excluded.created > answers.created
        """;

    /// <summary>Inserts rows in one transaction. For the holder of the write lock.</summary>
    public static void InsertAll(CacheDatabase database, IEnumerable<(RequestKey Key, CacheEntry Entry)> rows)
    {
        database.Execute("BEGIN IMMEDIATE");
        try
        {
            using Statement insert = database.Prepare(InsertNewer);
            foreach ((RequestKey key, CacheEntry entry) in rows)
            {
                Insert(insert, key, entry);
            }

            database.Execute("COMMIT");
        }
        catch
        {
            database.TryRollBack();
            throw;
        }
    }

    public static void Insert(Statement insert, RequestKey key, in CacheEntry entry)
    {
        Span<byte> bytes = stackalloc byte[RequestKey.Size];
        key.CopyTo(bytes);
        byte[] scope = EntryDigest.Utf8(entry.Scope);
        byte[] model = EntryDigest.Utf8(entry.Model);
        insert.Bind(1, bytes).BindText(2, scope).Bind(3, entry.StatusCode).BindText(4, model)
            .Bind(5, entry.CreatedAt.ToUnixTimeMilliseconds()).Bind(6, EntryDigest.Compute(bytes, scope, model, entry)).Bind(7, entry.Body.Span).Run();
    }
}
