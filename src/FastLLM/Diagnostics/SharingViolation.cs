namespace FastLLM.Diagnostics;

/// <summary>Tells a file that somebody else has locked from one that cannot be opened for another reason. .NET has no exception of its own
/// for it.</summary>
internal static class SharingViolation
{
    // ERROR_SHARING_VIOLATION; EWOULDBLOCK of Linux; of macOS.
    public static bool Is(IOException e) => e.HResult is unchecked((int)0x80070020) or 11 or 35;
}
