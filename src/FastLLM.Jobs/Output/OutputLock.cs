using System.Security.Cryptography;
using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Output;

/// <summary>Locks an output against a second writer. The system releases the lock when the process ends in any way.</summary>
/// <remarks>The lock is on a file beside the output, which the sort replaces and which must stay readable for others. The file is deleted
/// with the release; a file that a killed process left is no obstacle.</remarks>
internal sealed class OutputLock : IDisposable
{
    private readonly string _output;
    private FileStream _file;

    private OutputLock(string output, FileStream file)
    {
        _output = output;
        _file = file;
    }

    private string LockPath => PathOf(_output);

    /// <summary>Takes the lock of an output.</summary>
    /// <exception cref="OutputInUseException">Another run has the lock.</exception>
    public static OutputLock Take(string output) => new(output, TakeFile(output));

    /// <summary>Takes the lock again if its file was deleted or replaced.</summary>
    /// <returns>Whether it is held, or no other run can, where the output itself is locked too; <see langword="false"/> if another run was
    /// faster.</returns>
    public bool TryRenew()
    {
        if (!OperatingSystem.IsWindows() && !IsInPlace())
        {
            try
            {
                FileStream file = TakeFile(_output);
                _file.Dispose();
                _file = file;
            }
            catch (OutputInUseException)
            {
                return false;
            }
            catch (IOException)
            {
                // A folder is in its place, for example.
                return DataLock.IsSupported;
            }
        }

        return true;
    }

    public void Dispose()
    {
        if (_file.SafeFileHandle.IsClosed)
        {
            return;
        }

        try
        {
            // Before the release, so that the file cannot be another run's, unless it was deleted. Windows deletes it by itself.
            if (!OperatingSystem.IsWindows() && IsInPlace())
            {
                File.Delete(LockPath);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A file that stays is no obstacle to the next run.
        }
        finally
        {
            _file.Dispose();
        }
    }

    private bool IsInPlace() => FileStatus.IsAt(_file.SafeFileHandle, LockPath);

    private static FileStream TakeFile(string output)
    {
        string path = PathOf(output);
        while (true)
        {
            FileStream file = Open(output, path);
            try
            {
                if (OperatingSystem.IsWindows() || IsStillThere(path, file))
                {
                    return file;
                }
            }
            catch
            {
                file.Dispose();
                throw;
            }

            // The holder deleted the file after it was opened here and before it was locked.
            file.Dispose();
        }
    }

    private static string PathOf(string output) => output + ".lock";

    private static FileStream Open(string output, string path)
    {
        try
        {
            FileOptions options = OperatingSystem.IsWindows() ? FileOptions.DeleteOnClose : FileOptions.None;
            return PlainFile.OpenOrCreate(path, FileShare.None, options: options);
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
    private static bool IsStillThere(string path, FileStream file)
    {
        int length = RandomNumberGenerator.GetInt32(1, 1 << 16);
        file.SetLength(length);
        return FileStatus.Of(path) is { } there && there.Length == length;
    }
}
