using System.Text;

namespace FastLLM.Caching;

/// <summary>Counts and checks the entries of a cache, on a connection of its own.</summary>
internal static class CacheInspection
{
    // A damaged row may hold any number, also one that is not a date.
    private const string Dated = "WHERE created BETWEEN 0 AND 253402300799999";

    public static DiskCacheStats Count(CacheFolder folder, long evicted, long damaged)
    {
        using CacheDatabase database = CacheDatabase.OpenToRead(folder.Database);
        var shares = new List<DiskCacheShare>();
        using (Statement groups = database.Prepare(
            "SELECT scope, model, count(*), sum(length(body)) FROM answers GROUP BY scope, model ORDER BY 3 DESC"))
        {
            while (groups.Step())
            {
                shares.Add(new DiskCacheShare(
                    Encoding.UTF8.GetString(groups.Blob(0)), Encoding.UTF8.GetString(groups.Blob(1)), groups.Integer(2),
                    groups.Integer(3)));
            }
        }

        long entries = shares.Sum(share => share.Entries);
        return new DiskCacheStats
        {
            Entries = entries,
            AnswerBytes = shares.Sum(share => share.AnswerBytes),
            FileBytes = new FileInfo(folder.Database).Length + new FileInfo(folder.Log).Length,
            Oldest = entries == 0 ? null
                : DateTimeOffset.FromUnixTimeMilliseconds(database.Number($"SELECT min(created) FROM answers {Dated}")),
            Newest = entries == 0 ? null
                : DateTimeOffset.FromUnixTimeMilliseconds(database.Number($"SELECT max(created) FROM answers {Dated}")),
            Evicted = evicted,
            Damaged = damaged,
            Shares = shares,
        };
    }

    public static DiskCacheVerification Verify(CacheFolder folder, CancellationToken cancellationToken)
    {
        try
        {
            using CacheDatabase database = CacheDatabase.OpenToRead(folder.Database);
            IReadOnlyList<string> problems = CheckStructure(database);
            (long sound, long damaged) = CheckRows(database, cancellationToken);
            if (damaged > 0 || problems.Count > 0)
            {
                folder.RemoveCleanMarker();
            }

            return new DiskCacheVerification { Sound = sound, Damaged = damaged, Problems = problems };
        }
        catch (SqliteFault e) when (e.IsDamage)
        {
            folder.RemoveCleanMarker();
            return new DiskCacheVerification { Problems = [e.Message] };
        }
    }

    /// <summary>Checks the digest of every row.</summary>
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

    /// <summary>Gets what SQLite finds wrong with the structure of the database; empty if it is intact.</summary>
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
}
