using System.Buffers.Binary;
using System.Runtime.InteropServices;
using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Locks the output itself against a second writer, in case the lock file is deleted. Readers are not affected.</summary>
/// <remarks>On Linux only: an open file description lock (<c>F_OFD_SETLK</c>) on one byte far beyond the end. .NET's own lock on an open
/// file would exclude readers, and a POSIX lock is lost when the process closes any other handle of the file. Windows does not allow a
/// lock file in use to be deleted.</remarks>
internal static class DataLock
{
    private const int SetOpenFileLock = 37, Again = 11, NoAccess = 13;
    private const short WriteLock = 1, Unlock = 2;

    /// <summary>Gets a value indicating whether the system has such locks.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    /// <summary>Takes the lock.</summary>
    /// <returns><see langword="false"/> if another writer has it. A file system without such locks gives it to all.</returns>
    public static bool TryTake(SafeFileHandle file) => !IsSupported || TrySet(file, WriteLock);

    /// <summary>Releases the lock. Closing the handle is not enough: a process that is being started may hold a copy of it for a
    /// moment.</summary>
    public static void Release(SafeFileHandle file)
    {
        if (IsSupported && file is { IsClosed: false, IsInvalid: false })
        {
            TrySet(file, Unlock);
        }
    }

    /// <summary>Determines whether another writer has the lock of the file at a path.</summary>
    public static bool IsTaken(string path)
    {
        if (!IsSupported || FileStatus.Of(path) is not { IsRegular: true })
        {
            return false;
        }

        try
        {
            using SafeFileHandle file = File.OpenHandle(path, access: FileAccess.ReadWrite, share: FileShare.ReadWrite | FileShare.Delete);
            bool isFree = TryTake(file);
            Release(file);
            return !isFree;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool TrySet(SafeFileHandle file, short type)
    {
        Span<byte> request = stackalloc byte[32];
        request.Clear();
        BinaryPrimitives.WriteInt16LittleEndian(request, type);
        BinaryPrimitives.WriteInt64LittleEndian(request[8..], long.MaxValue - 1);
        BinaryPrimitives.WriteInt64LittleEndian(request[16..], 1);
        return Control(file, SetOpenFileLock, ref MemoryMarshal.GetReference(request)) == 0
            || Marshal.GetLastPInvokeError() is not (Again or NoAccess);
    }

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(SafeFileHandle file, int command, ref byte argument);
}
