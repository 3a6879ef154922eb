namespace FastLLM.Diagnostics;

/// <summary>Detects that a file is locked by another process. .NET has no exception for that case.</summary>
internal static class SharingViolation
{
    // ERROR_SHARING_VIOLATION; EWOULDBLOCK of Linux; of macOS.
    public static bool Is(IOException e) => e.HResult is unchecked((int)0x80070020) or 11 or 35;
}
