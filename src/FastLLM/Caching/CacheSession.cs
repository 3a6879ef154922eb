using System.Security.Cryptography;
using System.Text;

namespace FastLLM.Caching;

/// <summary>Represents an open disk cache: its writer, its readers, and the lock that tells other processes that the folder is in
/// use.</summary>
internal sealed class CacheSession : IDisposable
{
    private readonly IDisposable _use;

    private CacheSession(IDisposable use, CacheWriter writer, CacheReaders readers, string? repair)
    {
        _use = use;
        Writer = writer;
        Readers = readers;
        Repair = repair;
    }

    public CacheWriter Writer { get; }

    public CacheReaders Readers { get; }

    /// <summary>Gets a description of the repair that was made; <see langword="null"/> if none was needed.</summary>
    public string? Repair { get; }

    /// <summary>Opens a cache, and repairs it first if it is damaged.</summary>
    public static CacheSession Open(CacheFolder folder, DiskCacheOptions options)
    {
        try
        {
            return OpenChecked(folder, options);
        }
        catch (SqliteFault e) when (e.IsDamage)
        {
            // The disk has changed bytes that no program wrote: without the marker, the database is checked and repaired.
            folder.RemoveCleanMarker();
            return OpenChecked(folder, options);
        }
    }

    /// <summary>Commits pending entries and closes the files. Blocks until that is done.</summary>
    public void Dispose()
    {
        // Readers first: the log can only be emptied without readers.
        Readers.Dispose();
        Writer.Dispose();
        _use.Dispose();
    }

    private static CacheSession OpenChecked(CacheFolder folder, DiskCacheOptions options)
    {
        string? repair = CheckIfAlone(folder, options);
        IDisposable use = FolderLock.Share(folder.UseLock, options.OnNotice);
        CacheWriter? writer = null;
        try
        {
            using (FolderLock.Take(folder.WriteLock, options.OnNotice))
            {
                writer = new CacheWriter(folder, options);
            }

            return new CacheSession(use, writer, new CacheReaders(folder.Database), repair);
        }
        catch
        {
            writer?.Dispose();
            use.Dispose();
            throw;
        }
    }

    // The first process checks the database; the others wait for it.
    private static string? CheckIfAlone(CacheFolder folder, DiskCacheOptions options)
    {
        byte[] identity = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(32, lowercase: true));
        using IDisposable? alone = FolderLock.TryTake(folder.UseLock, identity);
        if (alone is null)
        {
            return null;
        }

        using IDisposable writing = FolderLock.Take(folder.WriteLock, options.OnNotice);
        string? repair = CacheRepair.MakeSound(folder, options.TimeProvider);
        if (repair is not null)
        {
            options.OnNotice?.Invoke(repair);
        }

        return repair;
    }
}
