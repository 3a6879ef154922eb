using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Caching;

/// <summary>The folder of a disk cache: its files, who may read them, and where it may stand.</summary>
internal sealed class CacheFolder
{
    // Held back for the answers that are on their way when the disk is full: they are paid for.
    private const long ReserveBytes = 4L << 20;

    private static readonly string[] NetworkFileSystems =
        ["nfs", "nfs4", "cifs", "smb", "smb2", "smbfs", "v9fs", "9p", "fuse", "fuseblk", "afs", "coda", "ncp", "ncpfs", "ceph", "lustre", "gfs", "gfs2", "ocfs2", "gpfs", "webdav", "afpfs"];

    public CacheFolder(string directory)
    {
        // With a separator at its end the folder would be taken for its own parent, and made readable by all.
        Path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(directory));
    }

    public string Path { get; }

    public string Database => In("cache.db");

    public string Log => In("cache.db-wal");

    /// <summary>A database that a repair has written whole, but not yet put in its place.</summary>
    public string Repaired => In("cache.db.repaired");

    /// <summary>Held by whoever writes, for as long as that takes.</summary>
    public string WriteLock => In("cache.lock");

    /// <summary>Shared by all who use the cache; held alone by who looks whether it is sound.</summary>
    public string UseLock => In("cache.users");

    /// <summary>What the database looked like after its last checkpoint: where it looks so still, it need not be read to be trusted.</summary>
    public string CleanMarker => In("cache.seal");

    public string Reserve => In("cache.reserve");

    /// <summary>Makes the folder, if need be, so that only its owner can look into it.</summary>
    /// <exception cref="IOException">It cannot be made, or stands on a network file system.</exception>
    public void Create(bool allowNetwork)
    {
        try
        {
            if (!Directory.Exists(Path))
            {
                if (OperatingSystem.IsWindows())
                {
                    Directory.CreateDirectory(Path);
                }
                else
                {
                    Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
                    Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The cache's folder {Path} cannot be made: {e.Message}", e);
        }

        if (!allowNetwork && FileSystem() is { } format && IsNetwork(format))
        {
            throw new IOException(
                $"The cache's folder {Path} is on a network file system ({format}), where several machines can damage a database. Choose a folder on a local disk, or set {nameof(DiskCacheOptions.AllowNetworkFileSystem)} (--cache-on-network) if no other machine uses it.");
        }
    }

    public static bool IsNetwork(string format) => NetworkFileSystems.Contains(format, StringComparer.OrdinalIgnoreCase);

    /// <summary>Makes a file that only its owner can read, if there is none.</summary>
    public static void CreatePrivate(string path)
    {
        using FileStream _ = OpenPrivate(path, FileShare.ReadWrite | FileShare.Delete);
    }

    public static FileStream OpenPrivate(string path, FileShare share, long preallocated = 0)
    {
        var options = new FileStreamOptions
        {
            Mode = preallocated > 0 ? FileMode.Create : FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = share,
            BufferSize = 0,
            PreallocationSize = preallocated,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(path, options);
    }

    /// <summary>Holds some room back.</summary>
    /// <returns>Whether there is that much.</returns>
    public bool TryHoldReserve()
    {
        try
        {
            if (new FileInfo(Reserve) is not { Exists: true, Length: ReserveBytes })
            {
                using FileStream reserve = OpenPrivate(Reserve, FileShare.ReadWrite | FileShare.Delete, ReserveBytes);
                reserve.SetLength(ReserveBytes);
            }

            return true;
        }
        catch (IOException)
        {
            ReleaseReserve();
            return false;
        }
    }

    /// <summary>Gives the room back for what must be written.</summary>
    /// <returns>Whether there was any.</returns>
    public bool ReleaseReserve()
    {
        try
        {
            bool was = File.Exists(Reserve);
            File.Delete(Reserve);
            return was;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Writes what the database looks like now.</summary>
    public void WriteCleanMarker()
    {
        using FileStream seal = OpenPrivate(CleanMarker, FileShare.ReadWrite | FileShare.Delete);
        byte[] looks = Encoding.ASCII.GetBytes(Looks());
        seal.Write(looks);
        seal.SetLength(looks.Length);
    }

    /// <summary>Whether nobody has touched the database since the seal was written.</summary>
    public bool CleanMarkerHolds()
    {
        try
        {
            return File.Exists(CleanMarker) && File.ReadAllText(CleanMarker, Encoding.ASCII) == Looks();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Has the database read as a whole when it is opened next.</summary>
    public void RemoveCleanMarker()
    {
        try
        {
            File.Delete(CleanMarker);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then a folder that cannot be written to keeps it; the damage shows again on the next read.
        }
    }

    /// <summary>Tells this folder from another that was made at the same place later.</summary>
    public string? Identity()
    {
        try
        {
            using var file = new FileStream(UseLock, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            Span<byte> text = stackalloc byte[64];
            return Encoding.ASCII.GetString(text[..file.ReadAtLeast(text, text.Length, throwOnEndOfStream: false)]);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private string Looks()
    {
        var database = new FileInfo(Database);
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{database.Length} {database.LastWriteTimeUtc.Ticks}\n");
    }

    private string? FileSystem()
    {
        try
        {
            return new DriveInfo(Path).DriveFormat;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
