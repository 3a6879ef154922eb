using System.Buffers;

namespace FastLLM.Diagnostics;

/// <summary>Quotes arguments, so that a command line in a message works when it is pasted.</summary>
internal static class ShellWord
{
    private static readonly SearchValues<char> s_needNoQuotes =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_@%+=:,./-");

    /// <summary>Returns an argument as the shell of this system reads it back: a POSIX shell, or on Windows PowerShell.</summary>
    public static string Quote(string word) => Quote(word, OperatingSystem.IsWindows());

    internal static string Quote(string word, bool isPowerShell) =>
        word.Length > 0 && !word.AsSpan().ContainsAnyExcept(s_needNoQuotes) && !(isPowerShell && word.AsSpan().ContainsAny("@,%")) ? word
        : "'" + word.Replace("'", isPowerShell ? "''" : "'\\''", StringComparison.Ordinal) + "'";
}
