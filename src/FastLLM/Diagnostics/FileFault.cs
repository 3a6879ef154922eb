namespace FastLLM.Diagnostics;

/// <summary>Describes why the system refuses to open, read or write a file.</summary>
internal static class FileFault
{
    /// <summary>Returns what happened to which file, and what to do about it. Messages that are not the system's stay as they
    /// are.</summary>
    public static string Describe(Exception fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        return Path(fault.Message, "Access to the path '", "' is denied.") is { } denied
            ? $"You have no permission for {denied}. Change its permissions, or name another file."
            : Path(fault.Message, "No space left on device : '", "'") is { } full ? $"No space is left on the device for {full}."
            : fault.Message;
    }

    private static string? Path(string message, string before, string after) =>
        message.StartsWith(before, StringComparison.Ordinal) && message.EndsWith(after, StringComparison.Ordinal)
            ? message[before.Length..^after.Length]
            : null;
}
