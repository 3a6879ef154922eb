using Microsoft.Win32.SafeHandles;

namespace FastLLM.Diagnostics;

/// <summary>Opens files in folders to which others may write: never through a symbolic link, never a pipe or device.</summary>
internal static class PlainFile
{
    private const int MaxTries = 1000, Exists = 17, ExistsOnWindows = unchecked((int)0x80070050);

    /// <summary>Opens a regular file, and creates it if nothing is there.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="share">What others may do with it meanwhile.</param>
    /// <param name="isPrivate">Whether a new file is readable by its owner alone.</param>
    /// <param name="options">Further options.</param>
    /// <exception cref="IOException">Something else is there, or the file cannot be opened.</exception>
    public static FileStream OpenOrCreate(string path, FileShare share, bool isPrivate = false, FileOptions options = FileOptions.None)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            if (FileStatus.Of(path) is not { } there)
            {
                if (TryCreate(path, share, isPrivate, options) is { } created)
                {
                    return created;
                }

                continue; // another process was faster
            }

            Require(path, there);
            if (TryOpen(path, share, options) is not { } file)
            {
                continue; // another process deleted it
            }

            if (FileStatus.Of(file.SafeFileHandle) is { } opened && opened.IsSameFile(there))
            {
                return file;
            }

            file.Dispose(); // it was replaced between the look and the opening
        }

        throw new IOException($"{path} is replaced again and again. Choose a folder that only you may write to.");
    }

    /// <summary>Deletes what is at a path, a link rather than its target, and creates a file there that only its owner can read.</summary>
    /// <exception cref="IOException">It cannot be created, or another process was faster.</exception>
    public static FileStream Replace(string path, FileShare share, long preallocated)
    {
        File.Delete(path);
        return CreateNew(path, share, isPrivate: true, preallocated: preallocated);
    }

    /// <summary>Creates a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="share">What others may do with it meanwhile.</param>
    /// <param name="isPrivate">Whether it is readable by its owner alone.</param>
    /// <param name="options">Further options.</param>
    /// <param name="preallocated">The bytes to reserve on the disk.</param>
    /// <exception cref="IOException">Something is there, or the file cannot be created.</exception>
    public static FileStream CreateNew(
        string path, FileShare share, bool isPrivate, FileOptions options = FileOptions.None, long preallocated = 0)
    {
        var creation = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = share,
            BufferSize = 0,
            Options = options,
            PreallocationSize = preallocated,
        };
        if (isPrivate && !OperatingSystem.IsWindows())
        {
            creation.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        return new FileStream(path, creation);
    }

    /// <summary>Makes a file as private as another one.</summary>
    public static void CopyMode(SafeFileHandle from, SafeFileHandle to)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(to, File.GetUnixFileMode(from));
        }
    }

    /// <summary>Creates a file that only its owner can read at the first free of the names <c>path</c>, <c>path2</c>, <c>path3</c>
    /// …</summary>
    public static FileStream CreateNumbered(string path)
    {
        while (true)
        {
            if (TryCreate(FreeName(path), FileShare.Read, isPrivate: true, FileOptions.None) is { } created)
            {
                return created;
            }
        }
    }

    /// <summary>Gets the first of the names <c>path</c>, <c>path2</c>, <c>path3</c> … at which nothing is.</summary>
    public static string FreeName(string path)
    {
        for (var n = 1; ; n++)
        {
            if (Numbered(path, n) is var name && FileStatus.Of(name) is null)
            {
                return name;
            }
        }
    }

    /// <summary>Gets the n-th of the names <c>path</c>, <c>path2</c>, <c>path3</c> …</summary>
    public static string Numbered(string path, int n) => n == 1 ? path : FormattableString.Invariant($"{path}{n}");

    /// <summary>Refuses what is not a regular file, and in a folder like <c>/tmp</c> the file of another user.</summary>
    /// <exception cref="IOException">It is refused.</exception>
    public static void Require(string path, in FileStatus there)
    {
        if (!there.IsRegular)
        {
            throw new IOException(there.IsLink
                ? $"{path} is a symbolic link to {new FileInfo(path).LinkTarget} and is not followed. Delete it, or choose another place."
                : $"{path} is {(there.IsFolder ? "a directory" : "not a regular file")}. Delete it, or choose another place.");
        }

        if (!OperatingSystem.IsWindows() && there.Owner != FileStatus.User
            && FileStatus.Of(Path.GetDirectoryName(Path.GetFullPath(path))!) is { IsSharedFolder: true } folder
            && there.Owner != folder.Owner)
        {
            throw new IOException($"{path} belongs to another user, in a folder that all may write to. Choose a folder of your own.");
        }
    }

    private static FileStream? TryCreate(string path, FileShare share, bool isPrivate, FileOptions options)
    {
        try
        {
            return CreateNew(path, share, isPrivate, options);
        }
        catch (IOException e) when (e.HResult is Exists or ExistsOnWindows || SharingViolation.Is(e))
        {
            return null;
        }
    }

    private static FileStream? TryOpen(string path, FileShare share, FileOptions options)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, share, bufferSize: 0, options);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
