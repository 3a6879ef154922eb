using System.ComponentModel;
using System.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Opens files in the browser.</summary>
internal static class Browser
{
    /// <summary>Opens a file with the program that the system has for it.</summary>
    /// <returns>Whether one could be started.</returns>
    public static bool TryOpen(string file)
    {
        string path = Path.GetFullPath(file);
        try
        {
            ProcessStartInfo start = OperatingSystem.IsWindows() ? new ProcessStartInfo(path) { UseShellExecute = true }
                : new ProcessStartInfo(OperatingSystem.IsMacOS() ? "open" : "xdg-open", [path]) { RedirectStandardError = true };
            using Process? process = Process.Start(start);
            return process is not null || OperatingSystem.IsWindows();
        }
        catch (Exception e) when (e is Win32Exception or IOException or InvalidOperationException)
        {
            return false;
        }
    }
}
