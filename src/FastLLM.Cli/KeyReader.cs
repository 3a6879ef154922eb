using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace FastLLM.Cli;

/// <summary>Reads single keys from the terminal while a run is in progress.</summary>
/// <remarks>Keys are polled, and only in the foreground: a process in the background that reads from its terminal is stopped. The runtime
/// restores the modes of the terminal when the process ends, also by a signal.</remarks>
internal sealed class KeyReader : IDisposable
{
    private static readonly TimeSpan s_every = TimeSpan.FromMilliseconds(100);

    private readonly Action<char> _press;
    private readonly ITimer _timer;
    private int _isReading;

    private KeyReader(Action<char> press, TimeProvider time)
    {
        _press = press;
        _timer = time.CreateTimer(static reader => ((KeyReader)reader!).Poll(), this, s_every, s_every);
    }

    /// <summary>Gets a value indicating whether there is a terminal to read keys from.</summary>
    public static bool IsPossible => !Console.IsInputRedirected && !Console.IsErrorRedirected;

    /// <summary>Begins to read keys.</summary>
    /// <param name="press">Receives each key.</param>
    /// <param name="time">The clock.</param>
    public static KeyReader Start(Action<char> press, TimeProvider time) => new(press, time);

    /// <summary>Stops reading.</summary>
    public void Dispose() => _timer.Dispose();

    [SuppressMessage("Design", "CA1031", Justification = "A terminal that cannot be read must not stop the run.")]
    private void Poll()
    {
        if (Interlocked.Exchange(ref _isReading, 1) != 0)
        {
            return;
        }

        try
        {
            while (IsForeground() && Console.KeyAvailable)
            {
                _press(Console.ReadKey(intercept: true).KeyChar);
            }
        }
        catch (Exception)
        {
            _timer.Dispose(); // the terminal is gone
        }
        finally
        {
            Volatile.Write(ref _isReading, 0);
        }
    }

    private static bool IsForeground() => OperatingSystem.IsWindows() || ForegroundGroup(0) == OwnGroup();

    [DllImport("libc", EntryPoint = "tcgetpgrp")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ForegroundGroup(int descriptor);

    [DllImport("libc", EntryPoint = "getpgrp")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int OwnGroup();
}
