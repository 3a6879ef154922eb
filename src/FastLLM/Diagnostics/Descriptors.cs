using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace FastLLM.Diagnostics;

/// <summary>Determines how many file descriptors the process may open, and whether a failure means that none is left. Windows has no such
/// limit.</summary>
/// <remarks>Every connection takes one. The runtime, caches and the files of a job need some too, and the lack of one is often fatal to the
/// runtime.</remarks>
internal static class Descriptors
{
    /// <summary>How many stay free for everything except connections: assemblies that load late (two each), lock files, the sorted
    /// output.</summary>
    public const int Reserve = 64;

    /// <summary>How long a file operation waits for a descriptor.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private const int LinuxLimitOfFiles = 7;
    private const int BsdLimitOfFiles = 8;
    private const int ProcessIsFull = 24; // EMFILE
    private const int SystemIsFull = 23; // ENFILE
    private const int UsedWhereUnknown = 192;

    // Descriptors cannot be counted without a free one.
    private const int AllOfThem = -1;

    /// <summary>Gets how many descriptors the process may have, after raising its limit as far as the system allows;
    /// <see cref="int.MaxValue"/> for no limit.</summary>
    public static int Limit { get; } = OperatingSystem.IsWindows() ? int.MaxValue : RaiseLimit();

    /// <summary>Returns how many connections the process may still open.</summary>
    public static int CountFree() => Limit == int.MaxValue ? int.MaxValue : FreeOf(Limit, CountUsed());

    /// <summary>Computes <see cref="CountFree"/>.</summary>
    internal static int FreeOf(int limit, int used) => used == AllOfThem ? 1 : Math.Max(1, limit - used - Reserve);

    /// <summary>Returns whether so few are left that opening files or resolving names is likely to fail.</summary>
    public static bool AreScarce() =>
        Limit != int.MaxValue && CountUsed() is var used && (used == AllOfThem || Limit - used < Reserve / 4);

    /// <summary>Returns whether an operation failed because the process or the system has no descriptor left.</summary>
    public static bool AreUsedUp(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is SocketException { SocketErrorCode: SocketError.TooManyOpenSockets }
                || (exception is IOException { HResult: ProcessIsFull or SystemIsFull } && !OperatingSystem.IsWindows()))
            {
                return true;
            }
        }

        return false;
    }

    private static int CountUsed()
    {
        string folder = OperatingSystem.IsLinux() ? "/proc/self/fd" : "/dev/fd";
        try
        {
            return Directory.EnumerateFileSystemEntries(folder).Count();
        }
        catch (IOException e) when (AreUsedUp(e))
        {
            return AllOfThem;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return UsedWhereUnknown;
        }
    }

    private static int RaiseLimit()
    {
        int resource = OperatingSystem.IsLinux() ? LinuxLimitOfFiles : BsdLimitOfFiles;
        if (GetLimit(resource, out ResourceLimit limit) != 0)
        {
            return int.MaxValue;
        }

        if (limit.Soft < limit.Hard)
        {
            ResourceLimit raised = limit with { Soft = limit.Hard };
            limit = SetLimit(resource, in raised) == 0 ? raised : limit; // macOS refuses more than it supports
        }

        return (int)ulong.Min(limit.Soft, int.MaxValue);
    }

    [DllImport("libc", EntryPoint = "getrlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetLimit(int resource, out ResourceLimit limit);

    [DllImport("libc", EntryPoint = "setrlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetLimit(int resource, in ResourceLimit limit);

    [StructLayout(LayoutKind.Sequential)]
    private record struct ResourceLimit(ulong Soft, ulong Hard);
}
