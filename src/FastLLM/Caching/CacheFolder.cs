using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Caching;

/// <summary>Represents the folder of a disk cache: its files, their permissions, and its file system.</summary>
internal sealed class CacheFolder
{
    // Reserved for responses that are in flight when the disk is full: they are paid for.
    private const long ReserveBytes = 4L << 20;

    private const string OwnFolder = "Choose a folder that belongs to you and that only you may write to (chmod go-w).";

    private static readonly string[] NetworkFileSystems =
    [
        "nfs", "nfs4", "cifs", "smb", "smb2", "smbfs", "v9fs", "9p", "fuse", "fuseblk", "afs", "coda", "ncp", "ncpfs", "ceph", "lustre", "gfs",
        "gfs2", "ocfs2", "gpfs", "webdav", "afpfs",
    ];

    public CacheFolder(string directory)
    {
        // With a separator at its end, the folder would be its own parent, and be created readable for everyone.
        Path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(directory));
    }

    public string Path { get; }

    public string Database => In("cache.db");

    public string Log => In("cache.db-wal");

    /// <summary>Gets the path of a database that a repair has completed but not yet moved into place.</summary>
    public string Repaired => In("cache.db.repaired");

    /// <summary>Gets the path of the lock that a writer holds during each transaction.</summary>
    public string WriteLock => In("cache.lock");

    /// <summary>Gets the path of the lock that all users of the cache share, and that a check of the database holds exclusively.</summary>
    public string UseLock => In("cache.users");

    /// <summary>Gets the path of the marker with size and time of the database after its last checkpoint: if they still match, no check is
    /// needed.</summary>
    public string CleanMarker => In("cache.seal");

    public string Reserve => In("cache.reserve");

    /// <summary>Creates the folder if needed, readable only for its owner.</summary>
    /// <exception cref="IOException">The folder cannot be created, others may write to it, or it is on a network file system.</exception>
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
            throw new IOException($"The cache's folder {Path} cannot be created: {e.Message}", e);
        }

        RefuseShared();
        if (!allowNetwork && FileSystem() is { } format && IsNetwork(format))
        {
            throw new IOException(
                $"The cache's folder {Path} is on a network file system ({format}), where several machines can damage a database. "
                + $"Choose a folder on a local disk, or set {nameof(DiskCacheOptions.AllowNetworkFileSystem)} "
                + $"(--cache-on-network) if no other machine uses it.");
        }
    }

    public static bool IsNetwork(string format) => NetworkFileSystems.Contains(format, StringComparer.OrdinalIgnoreCase);

    /// <summary>Creates a file that only its owner can read, if there is none.</summary>
    public static void CreatePrivate(string path)
    {
        using FileStream _ = OpenPrivate(path, FileShare.ReadWrite | FileShare.Delete);
    }

    /// <summary>Opens a file that only its owner can read, and creates it if there is none. Never follows a link.</summary>
    public static FileStream OpenPrivate(string path, FileShare share) => PlainFile.OpenOrCreate(path, share, isPrivate: true);

    /// <summary>Reserves disk space.</summary>
    /// <returns>Whether the disk has enough space.</returns>
    public bool TryHoldReserve()
    {
        try
        {
            if (FileStatus.Of(Reserve) is not { IsRegular: true, Length: ReserveBytes })
            {
                using FileStream reserve = PlainFile.Replace(Reserve, FileShare.ReadWrite | FileShare.Delete, ReserveBytes);
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

    /// <summary>Releases the reserved disk space.</summary>
    /// <returns>Whether any was reserved.</returns>
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

    /// <summary>Writes the marker.</summary>
    public void WriteCleanMarker()
    {
        using FileStream marker = OpenPrivate(CleanMarker, FileShare.ReadWrite | FileShare.Delete);
        byte[] looks = Encoding.ASCII.GetBytes(Looks());
        marker.Write(looks);
        marker.SetLength(looks.Length);
    }

    /// <summary>Gets a value indicating whether there is a marker. It is removed when damage is found.</summary>
    public bool HasCleanMarker => File.Exists(CleanMarker);

    /// <summary>Returns whether the database is unchanged since the marker was written.</summary>
    public bool CleanMarkerHolds()
    {
        try
        {
            return HasCleanMarker && File.ReadAllText(CleanMarker, Encoding.ASCII) == Looks();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Removes the marker, so that the whole database is checked when it is opened next.</summary>
    public void RemoveCleanMarker()
    {
        try
        {
            File.Delete(CleanMarker);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A read-only folder keeps the marker; the damage will be found again on the next read.
        }
    }

    /// <summary>Gets an id that tells this folder from a later one at the same path.</summary>
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

    // A user who may write to the folder could read answers, change them, and plant links in place of its files. The user's own
    // folder is the user's choice: mounted folders often have all permissions.
    private void RefuseShared()
    {
        if (OperatingSystem.IsWindows() || FileStatus.Of(Path) is not { } status)
        {
            return;
        }

        uint user = FileStatus.User;
        if (status.IsLink)
        {
            string? target = Directory.ResolveLinkTarget(Path, returnFinalTarget: true)?.FullName;
            if ((status.Owner != user && status.Owner != 0) || target is null || FileStatus.Of(target) is not { } linked)
            {
                throw new IOException($"The cache's folder {Path} is a symbolic link of another user, or leads nowhere. {OwnFolder}");
            }

            status = linked;
        }

        if (status.IsOnlyWrittenBy(user))
        {
            return;
        }

        if (status.Owner != user)
        {
            throw new IOException($"Other users may write to the cache's folder {Path}, which is not yours. {OwnFolder}");
        }

        foreach (string file in Directory.EnumerateFileSystemEntries(Path, "cache.*"))
        {
            if (FileStatus.Of(file) is { } there && there.Owner != user)
            {
                throw new IOException($"{file} belongs to another user, who may write to the cache's folder. Delete it. {OwnFolder}");
            }
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
