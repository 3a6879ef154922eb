namespace FastLLM.Diagnostics;

/// <summary>Holds disk space in a folder, to be released when the disk is full. Nothing of it is left when the process ends.</summary>
/// <remarks>Windows deletes the file when the process ends; elsewhere it has no name from the start.</remarks>
internal sealed class DiskReserve : IDisposable
{
    private const int Full = 28; // ENOSPC
    private const int OverQuota = 122, OverQuotaOfBsd = 69; // EDQUOT
    private const int FullOnWindows = unchecked((int)0x80070070), HandleIsFullOnWindows = unchecked((int)0x80070027);

    private readonly FileStream _file;

    private DiskReserve(FileStream file) => _file = file;

    /// <summary>Reserves space.</summary>
    /// <param name="folder">A folder on the disk.</param>
    /// <param name="bytes">How much.</param>
    /// <returns>The space; <see langword="null"/> if the folder takes no new files.</returns>
    /// <exception cref="IOException">The disk is full.</exception>
    public static DiskReserve? Hold(string folder, long bytes)
    {
        FileStream? file = null;
        try
        {
            string name = Path.Combine(folder, "." + Path.GetRandomFileName());
            file = PlainFile.CreateNew(name, FileShare.Delete, isPrivate: true, FileOptions.DeleteOnClose, bytes);
            if (!OperatingSystem.IsWindows())
            {
                File.Delete(name);
            }

            file.SetLength(bytes);
            return new DiskReserve(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            return e is IOException fault && (IsFull(fault) || FreeSpace(folder) < bytes) ? throw fault : null;
        }
    }

    /// <summary>Determines whether a write failed because the disk, or the user's part of it, is full.</summary>
    public static bool IsFull(IOException fault) => OperatingSystem.IsWindows()
        ? fault.HResult is FullOnWindows or HandleIsFullOnWindows
        : fault.HResult is Full || fault.HResult == (OperatingSystem.IsLinux() ? OverQuota : OverQuotaOfBsd);

    /// <summary>Releases the space.</summary>
    public void Dispose() => _file.Dispose();

    private static long FreeSpace(string folder)
    {
        try
        {
            return new DriveInfo(folder).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return long.MaxValue;
        }
    }
}
