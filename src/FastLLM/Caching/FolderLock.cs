using System.Globalization;
using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Caching;

/// <summary>A lock that the system keeps between processes, on a file of the cache's folder. It is given back when its holder dies, however it dies.</summary>
internal static class FolderLock
{
    private static readonly TimeSpan SayAfter = TimeSpan.FromSeconds(5);

    private static readonly byte[] s_holder = Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture, $"process {Environment.ProcessId} ({System.IO.Path.GetFileName(Environment.ProcessPath)})\n"));

    /// <summary>Takes a lock that one alone can have; waits until it is free.</summary>
    /// <remarks>
    /// Who waits holds a second lock meanwhile, which everybody passes: else a process that gives the lock back and wants it again at once would nearly
    /// always be faster than one that looks every millisecond (with two writers at full speed one got a tenth).
    /// </remarks>
    /// <param name="path">The lock's file.</param>
    /// <param name="sayWait">Told who has it, when the wait is long.</param>
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
            if (TryTake(path) is { } taken)
            {
                return taken;
            }

            if (!said && TimeProvider.System.GetElapsedTime(begun) > SayAfter)
            {
                said = true;
                sayWait?.Invoke($"Waiting for the cache: {Holder(path)} has held {path} for more than {SayAfter.TotalSeconds:0} s.");
            }

            Pause(tries);
        }
    }

    /// <summary>Takes a lock that one alone can have, if it is free.</summary>
    /// <param name="path">The lock's file.</param>
    /// <param name="text">What to write into it; left out, who has it.</param>
    public static IDisposable? TryTake(string path, byte[]? text = null)
    {
        try
        {
            FileStream file = CacheFolder.OpenPrivate(path, FileShare.None);
            try
            {
                Write(file, text ?? s_holder);
                return file;
            }
            catch (IOException) when (text is null)
            {
                return file; // who has it is good to know, no more: on a full disk it must not keep answers from the reserve
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

    // Mostly it stands there already: reading is cheaper than the disk's book-keeping for a write.
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

    /// <summary>Takes a lock that many can have at once, but none beside one who has it alone.</summary>
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
                    sayWait?.Invoke($"Waiting for the cache: {Holder(path)} is looking whether it is sound.");
                }
            }

            Pause(tries);
        }
    }

    // Time of the machine, not of an injected clock: what is waited for is another process.
    private static void Pause(int tries)
    {
        if (tries < 10)
        {
            Thread.Yield();
        }
        else
        {
            using var never = new ManualResetEventSlim();
            never.Wait(tries < 1000 ? 1 : 10); // the gaps of a busy writer are short: who looks rarely waits for seconds
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
