using System.Globalization;
using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Caching;

/// <summary>Takes locks between processes on files of the cache's folder. The system releases a lock when its holder dies.</summary>
internal static class FolderLock
{
    private static readonly TimeSpan SayAfter = TimeSpan.FromSeconds(5);

    private static readonly byte[] s_holder = Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"process {Environment.ProcessId} ({System.IO.Path.GetFileName(Environment.ProcessPath)})\n"));

    /// <summary>Takes an exclusive lock, and waits until it is free.</summary>
    /// <remarks>
    /// A waiting process holds a second lock, which every process must take: otherwise a process that releases the lock and takes it again
    /// would nearly always be faster than one that tries every millisecond (of two writers at full speed, one got a tenth).
    /// </remarks>
    /// <param name="path">The file of the lock.</param>
    /// <param name="sayWait">Is called with the holder of the lock if the wait is long.</param>
    public static IDisposable Take(string path, Action<string>? sayWait)
    {
        using IDisposable _ = TakeInNoOrder(path + ".next", sayWait);
        return TakeInNoOrder(path, sayWait);
    }

    private static IDisposable TakeInNoOrder(string path, Action<string>? sayWait)
    {
        long begun = TimeProvider.System.GetTimestamp();
        var said = false;
        for (var tries = 0; ; tries++)
        {
            try
            {
                if (TryTake(path) is { } taken)
                {
                    return taken;
                }
            }
            catch (IOException e) when (IsPassing(e, begun))
            {
                // A connection will release one.
            }

            if (!said && TimeProvider.System.GetElapsedTime(begun) > SayAfter)
            {
                said = true;
                sayWait?.Invoke($"Waiting for the cache: {Holder(path)} has held {path} for more than {SayAfter.TotalSeconds:0} s.");
            }

            Pause(tries);
        }
    }

    /// <summary>Takes an exclusive lock if it is free.</summary>
    /// <param name="path">The file of the lock.</param>
    /// <param name="text">The text to write into the file; <see langword="null"/> for the name of this process.</param>
    public static IDisposable? TryTake(string path, byte[]? text = null) =>
        TryTake(() => CacheFolder.OpenPrivate(path, FileShare.None), text);

    /// <inheritdoc cref="TryTake(string, byte[])"/>
    internal static IDisposable? TryTake(Func<FileStream> open, byte[]? text)
    {
        try
        {
            FileStream file = open();
            try
            {
                Write(file, text ?? s_holder);
                return file;
            }
            catch (IOException) when (text is null)
            {
                return file; // the name is only for messages: a full disk must not prevent the use of the reserve
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
        catch (IOException e) when (SharingViolation.Is(e))
        {
            return null;
        }
    }

    // Usually the text is there already, and reading is cheaper than writing.
    private static void Write(FileStream file, byte[] text)
    {
        Span<byte> there = stackalloc byte[256];
        int length = file.Read(there);
        if (!there[..length].SequenceEqual(text))
        {
            file.Position = 0;
            file.Write(text);
            file.SetLength(text.Length);
        }
    }

    /// <summary>Takes a shared lock, which excludes exclusive ones.</summary>
    public static IDisposable Share(string path, Action<string>? sayWait)
    {
        long begun = TimeProvider.System.GetTimestamp();
        var said = false;
        for (var tries = 0; ; tries++)
        {
            try
            {
                return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            }
            catch (IOException e) when (SharingViolation.Is(e))
            {
                if (!said && TimeProvider.System.GetElapsedTime(begun) > SayAfter)
                {
                    said = true;
                    sayWait?.Invoke($"Waiting for the cache: {Holder(path)} is checking the database.");
                }
            }
            catch (IOException e) when (IsPassing(e, begun))
            {
                // A connection will release one.
            }

            Pause(tries);
        }
    }

    // No file descriptor is left for the moment.
    private static bool IsPassing(IOException e, long begun) =>
        Descriptors.AreUsedUp(e) && TimeProvider.System.GetElapsedTime(begun) < Descriptors.Patience;

    /// <summary>Waits for a moment, a longer one after many tries.</summary>
    /// <remarks>The time of the machine, not of an injected clock: the wait is for another process.</remarks>
    internal static void Pause(int tries)
    {
        if (tries < 10)
        {
            Thread.Yield();
        }
        else
        {
            using var never = new ManualResetEventSlim();
            never.Wait(tries < 1000 ? 1 : 10); // a busy writer releases the lock only briefly
        }
    }

    private static string Holder(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(file, Encoding.UTF8);
            return reader.ReadLine() is { Length: > 0 and < 300 } holder ? holder : "another process";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "another process";
        }
    }
}
