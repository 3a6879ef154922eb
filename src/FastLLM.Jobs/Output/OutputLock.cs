using System.Security.Cryptography;
using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Locks an output against a second writer. The system releases the lock when the process ends in any way.</summary>
/// <remarks>The lock is on a file beside the output, which the sort replaces and which must stay readable for others. The file is deleted
/// with the release; a file that a killed process left is no obstacle.</remarks>
internal sealed class OutputLock : IDisposable
{
    private readonly string _path;
    private readonly SafeFileHandle _handle;

    private OutputLock(string path, SafeFileHandle handle)
    {
        _path = path;
        _handle = handle;
    }

    /// <summary>Takes the lock of an output.</summary>
    /// <exception cref="OutputInUseException">Another run has the lock.</exception>
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

            // The holder deleted the file after it was opened here and before it was locked.
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
            // Before the release, so that the file cannot be another run's. Windows deletes it by itself.
            if (!OperatingSystem.IsWindows())
            {
                File.Delete(_path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A file that stays is no obstacle to the next run.
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
            throw new IOException($"{output} cannot be written: its lock {path} cannot be created. Name a file in a writable folder.", e);
        }
    }

    // A locked file cannot be opened again, but its length is visible: a random length distinguishes it from another file at the path.
    private static bool IsStillThere(string path, SafeFileHandle handle)
    {
        int length = RandomNumberGenerator.GetInt32(1, 1 << 16);
        RandomAccess.SetLength(handle, length);
        var file = new FileInfo(path);
        return file.Exists && file.Length == length;
    }
}
