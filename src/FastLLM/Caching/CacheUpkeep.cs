using System.Globalization;
using System.Text;
using FastLLM.Pipeline;

namespace FastLLM.Caching;

/// <summary>What is done to all rows at once. What writes is for the holder of the write lock.</summary>
internal static class CacheUpkeep
{
    // Key twice, scope twice, digest and small things.
    private const int RowBytes = 200;

    /// <summary>The bytes that the database needs: free pages are used again before it grows.</summary>
    public static long BytesInUse(CacheDatabase database) =>
        (database.Number("PRAGMA page_count") - database.Number("PRAGMA freelist_count")) * database.Number("PRAGMA page_size");

    /// <summary>Drops the oldest entries until the database needs no more than so many bytes. The room is used again; <see cref="Compact"/> gives it back.</summary>
    /// <returns>How many were dropped.</returns>
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

    /// <summary>Drops entries that were received before a moment, and those that fit a scope or model.</summary>
    /// <returns>How many were dropped.</returns>
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

    /// <summary>Drops all entries.</summary>
    public static void Clear(CacheDatabase database)
    {
        database.Execute("DELETE FROM answers");
        Compact(database);
    }

    /// <summary>Gives the room of dropped entries back to the disk, and leaves nothing of them in the log.</summary>
    public static void Compact(CacheDatabase database)
    {
        database.Execute("VACUUM");
        database.Checkpoint(truncate: true);
    }

    /// <summary>Reads every row.</summary>
    /// <returns>How many are sound, and how many are not what was written.</returns>
    public static (long Sound, long Damaged) CheckRows(CacheDatabase database, CancellationToken cancellationToken)
    {
        long sound = 0, damaged = 0;
        using Statement rows = database.Prepare($"SELECT {CacheDatabase.Columns} FROM answers ORDER BY id");
        while (rows.Step())
        {
            cancellationToken.ThrowIfCancellationRequested();
            (sound, damaged) = CacheRow.IsSound(rows) ? (sound + 1, damaged) : (sound, damaged + 1);
        }

        return (sound, damaged);
    }

    /// <summary>What SQLite finds wrong with the database's structure; empty where nothing is.</summary>
    public static IReadOnlyList<string> CheckStructure(CacheDatabase database)
    {
        var problems = new List<string>();
        using Statement check = database.Prepare("PRAGMA integrity_check(20)");
        while (check.Step())
        {
            string text = Encoding.UTF8.GetString(check.Blob(0));
            if (text != "ok")
            {
                problems.Add(text);
            }
        }

        return problems;
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
