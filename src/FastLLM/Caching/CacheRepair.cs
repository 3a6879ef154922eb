using System.Globalization;
using FastLLM.Diagnostics;

namespace FastLLM.Caching;

/// <summary>Checks a database before it is used. A damaged one is set aside, and its intact entries are copied to a new one.</summary>
/// <remarks>The caller has exclusive access: no other process has the database open.</remarks>
internal static class CacheRepair
{
    private const int RowsAtOnce = 1000;

    /// <summary>Ensures that there is an intact database.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="time">The clock, for the name of a database that is set aside.</param>
    /// <returns>A description of the repair; <see langword="null"/> if none was needed.</returns>
    /// <exception cref="IOException">The database is of a newer release, or there is no space or permission to repair it.</exception>
    public static string? MakeSound(CacheFolder folder, TimeProvider time)
    {
        CacheDatabase.RefuseLinks(folder.Database);
        FinishRepair(folder, time);
        bool isNew = !File.Exists(folder.Database) || new FileInfo(folder.Database).Length == 0;
        if (isNew && (!File.Exists(folder.Log) || new FileInfo(folder.Log).Length == 0))
        {
            Create(folder);
            return null;
        }

        return (isNew ? "it is gone, but its log is there" : Problem(folder)) is { } problem ? Repair(folder, problem, time) : null;
    }

    // Created under another name and then renamed: an incomplete file of a killed process would look like a damaged cache.
    private static void Create(CacheFolder folder)
    {
        string path = folder.Database + ".new";
        DeleteDatabase(path);
        CacheFolder.CreatePrivate(path);
        using (CacheDatabase database = CacheDatabase.OpenToWrite(path, Durability.PowerLoss, null))
        {
            database.CreateSchema();
            database.Checkpoint(truncate: true);
        }

        DeleteDatabase(folder.Database); // empty files, if any
        File.Move(path, folder.Database);
        DirectorySync.TryFlush(folder.Path);
        folder.WriteCleanMarker();
    }

    private static string? Problem(CacheFolder folder)
    {
        if (WriteAheadLog.Read(folder.Log).Damage is { } damage)
        {
            return $"its log: {damage}";
        }

        if (folder.CleanMarkerHolds())
        {
            return null;
        }

        // The file was changed, or a checkpoint was interrupted: the whole database is checked once.
        try
        {
            using CacheDatabase database = CacheDatabase.OpenToWrite(folder.Database, Durability.PowerLoss, null);
            if (database.Number("PRAGMA application_id") != CacheDatabase.ApplicationId)
            {
                return "it does not say that it is a cache";
            }

            long version = database.Number("PRAGMA user_version");
            if (version is > CacheDatabase.FormatVersion and < 1000)
            {
                throw new IOException(
                    $"The cache in {folder.Path} was written by a newer release (format {version}; "
                    + $"this release reads up to {CacheDatabase.FormatVersion}). "
                    + $"Update, or choose another folder.");
            }

            if (version != CacheDatabase.FormatVersion)
            {
                return "it does not say which format it has";
            }

            if (CacheInspection.CheckStructure(database) is [var first, ..])
            {
                return first;
            }

            if (CacheInspection.CheckRows(database, CancellationToken.None).Damaged is > 0 and var damaged)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{damaged:N0} of its rows are not what was written");
            }

            database.Checkpoint(truncate: true);
        }
        catch (SqliteFault e) when (e.IsDamage)
        {
            return e.Message;
        }

        folder.WriteCleanMarker();
        return null;
    }

    private static string Repair(CacheFolder folder, string problem, TimeProvider time)
    {
        (long saved, long damaged) = WriteRepaired(folder);
        string aside = FinishRepair(folder, time)!;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"The cache in {folder.Path} was damaged ({problem}). "
            + $"{saved:N0} answers were saved{(damaged > 0 ? $", {damaged:N0} were found damaged" : "")}; "
            + $"what is missing is asked again. The damaged database is kept as {aside}.");
    }

    private static (long Saved, long Damaged) WriteRepaired(CacheFolder folder)
    {
        string path = folder.Repaired + ".part";
        DeleteDatabase(path);
        CacheFolder.CreatePrivate(path);
        (long Saved, long Damaged) counts = SaveInto(folder, path);
        DirectorySync.TryFlush(folder.Path);
        File.Move(path, folder.Repaired);
        return counts;
    }

    private static (long Saved, long Damaged) SaveInto(CacheFolder folder, string path)
    {
        using var salvage = new Salvage(folder.Database, folder.Log);
        using CacheDatabase repaired = CacheDatabase.OpenToWrite(path, Durability.PowerLoss, null);
        repaired.CreateSchema();
        using (Statement insert = repaired.Prepare(CacheImport.InsertNewer))
        {
            var inTransaction = 0;
            repaired.Execute("BEGIN");
            foreach ((RequestKey key, CacheEntry entry) in salvage.Rows())
            {
                CachePut.Of(key, entry).Run(insert);
                if (++inTransaction % RowsAtOnce == 0)
                {
                    repaired.Execute("COMMIT");
                    repaired.Execute("BEGIN");
                }
            }

            repaired.Execute("COMMIT");
        }

        long saved = repaired.Number("SELECT count(*) FROM answers");
        if (!repaired.Checkpoint(truncate: true))
        {
            throw new IOException($"The repair of the cache in {folder.Path} could not be written to the end.");
        }

        return (saved, salvage.Damaged);
    }

    private static string SetAside(CacheFolder folder, TimeProvider time)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{folder.Database}.damaged-{time.GetUtcNow():yyyyMMdd-HHmmss}");
        string aside = name;
        for (var n = 2; File.Exists(aside) || File.Exists(aside + "-wal"); n++)
        {
            aside = string.Create(CultureInfo.InvariantCulture, $"{name}-{n}");
        }

        if (File.Exists(folder.Log))
        {
            File.Move(folder.Log, aside + "-wal");
        }

        File.Delete(folder.Database + "-shm");
        if (File.Exists(folder.Database))
        {
            File.Move(folder.Database, aside);
        }

        return aside;
    }

    // Once the repaired database is complete, a kill is harmless: the next opener of the cache takes these steps.
    private static string? FinishRepair(CacheFolder folder, TimeProvider time)
    {
        if (!File.Exists(folder.Repaired))
        {
            return null;
        }

        string aside = SetAside(folder, time);
        File.Move(folder.Repaired, folder.Database);
        DirectorySync.TryFlush(folder.Path);
        folder.WriteCleanMarker();
        return aside;
    }

    private static void DeleteDatabase(string path)
    {
        foreach (string suffix in (string[])["", "-wal", "-shm"])
        {
            File.Delete(path + suffix);
        }
    }
}
