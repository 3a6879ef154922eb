using System.Globalization;

namespace FastLLM.Caching;

/// <summary>Removes entries. The caller holds the write lock.</summary>
internal static class CacheUpkeep
{
    // Key twice, scope twice, digest and small things.
    private const int RowBytes = 200;

    /// <summary>Gets the bytes that the database needs: free pages are reused before it grows.</summary>
    public static long BytesInUse(CacheDatabase database) =>
        (database.Number("PRAGMA page_count") - database.Number("PRAGMA freelist_count")) * database.Number("PRAGMA page_size");

    /// <summary>Removes the oldest entries until the database needs no more than <paramref name="mostBytes"/>. The space is reused;
    /// <see cref="Compact"/> returns it to the disk.</summary>
    /// <returns>The number of removed entries.</returns>
    public static long DropOldest(CacheDatabase database, long mostBytes)
    {
        long dropped = 0;
        while (BytesInUse(database) - mostBytes is > 0 and var excess && LastOfOldest(database, excess) is { } last)
        {
            database.Execute(string.Create(CultureInfo.InvariantCulture, $"DELETE FROM answers WHERE id <= {last}"));
            dropped += database.Number("SELECT changes()");
        }

        return dropped;
    }

    /// <summary>Removes the entries that were received before a moment and match a scope and model, where these are given.</summary>
    /// <returns>The number of removed entries.</returns>
    public static long Prune(CacheDatabase database, DateTimeOffset? before, string? scope, string? model)
    {
        using Statement delete = database.Prepare(
            "DELETE FROM answers WHERE (?1 < 0 OR created < ?1) AND (?2 = 0 OR scope = ?3) AND (?4 = 0 OR model = ?5)");
        delete.Bind(1, before?.ToUnixTimeMilliseconds() ?? -1)
            .Bind(2, scope is null ? 0 : 1).BindText(3, EntryDigest.Utf8(scope))
            .Bind(4, model is null ? 0 : 1).BindText(5, EntryDigest.Utf8(model)).Run();
        long dropped = database.Number("SELECT changes()");
        if (dropped > 0)
        {
            Compact(database);
        }

        return dropped;
    }

    /// <summary>Removes all entries.</summary>
    public static void Clear(CacheDatabase database)
    {
        database.Execute("DELETE FROM answers");
        Compact(database);
    }

    /// <summary>Returns the space of removed entries to the disk, and leaves none of their bytes in the log.</summary>
    public static void Compact(CacheDatabase database)
    {
        database.Execute("VACUUM");
        database.Checkpoint(truncate: true);
    }

    private static long? LastOfOldest(CacheDatabase database, long bytes)
    {
        long? last = null;
        using Statement rows = database.Prepare("SELECT id, length(body) FROM answers ORDER BY id");
        while (bytes > 0 && rows.Step())
        {
            last = rows.Integer(0);
            bytes -= rows.Integer(1) + RowBytes;
        }

        return last;
    }
}
