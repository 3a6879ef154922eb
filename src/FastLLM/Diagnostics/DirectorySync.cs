using System.Runtime.InteropServices;
using System.Text;

namespace FastLLM.Diagnostics;

/// <summary>Makes a rename survive a power loss: POSIX wants the directory itself flushed. .NET has no call for it.</summary>
internal static class DirectorySync
{
    /// <summary>Flushes a directory; on Windows, which has no such thing, does nothing.</summary>
    /// <returns>Whether it was flushed. Where it was not, a power loss may bring back what stood at the name before, whole.</returns>
    public static bool TryFlush(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            return false;
        }

        int descriptor = Open(Encoding.UTF8.GetBytes(directory + '\0'), flags: 0);
        if (descriptor < 0)
        {
            return false;
        }

        bool flushed = FSync(descriptor) == 0; // never tried again: a failed fsync marks its pages clean
        _ = Close(descriptor);
        return flushed;
    }

    [DllImport("libc", EntryPoint = "open")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Open(byte[] path, int flags);

    [DllImport("libc", EntryPoint = "fsync")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int FSync(int descriptor);

    [DllImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int descriptor);
}
