using System.Security.Cryptography;
using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Keeps a second writer from OUTPUT. The system gives the lock back when its holder dies, however it dies.</summary>
/// <remarks>
/// The lock is on a file beside OUTPUT, which is replaced when it is sorted and must stay readable for others. The file is gone when
/// the lock is given back; one that a killed process left behind is no obstacle.
/// </remarks>
internal sealed class OutputLock : IDisposable
{
    private readonly string _path;
    private readonly SafeFileHandle _handle;

    private OutputLock(string path, SafeFileHandle handle)
    {
        _path = path;
        _handle = handle;
    }

    /// <summary>Takes the lock of an OUTPUT.</summary>
    /// <exception cref="OutputInUseException">Somebody has it.</exception>
    public static OutputLock Take(string output)
    {
        string path = output + ".lock";
        OutputPath.RefuseLink(path);
        while (true)
        {
            SafeFileHandle handle = Open(output, path);
            try
            {
                if (OperatingSystem.IsWindows() || IsStillThere(path, handle))
                {
                    return new OutputLock(path, handle);
                }
            }
            catch
            {
                handle.Dispose();
                throw;
            }

            // Its holder took the file away between our opening and our locking it.
            handle.Dispose();
        }
    }

    public void Dispose()
    {
        if (_handle.IsClosed)
        {
            return;
        }

        try
        {
            // While it is ours: nobody else's can stand there. Windows deletes it by itself.
            if (!OperatingSystem.IsWindows())
            {
                File.Delete(_path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Litter, but no obstacle to the next run.
        }
        finally
        {
            _handle.Dispose();
        }
    }

    private static SafeFileHandle Open(string output, string path)
    {
        try
        {
            FileOptions options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None;
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, options);
        }
        catch (IOException e) when (SharingViolation.Is(e))
        {
            throw new OutputInUseException(output, e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"{output} cannot be written: {path}, which keeps a second run from it, cannot be made. Name a file in a folder that you may write to.", e);
        }
    }

    // A locked file cannot be opened a second time, but its length can be seen: a random one tells it from another at the same path.
    private static bool IsStillThere(string path, SafeFileHandle handle)
    {
        int length = RandomNumberGenerator.GetInt32(1, 1 << 16);
        RandomAccess.SetLength(handle, length);
        var file = new FileInfo(path);
        return file.Exists && file.Length == length;
    }
}
