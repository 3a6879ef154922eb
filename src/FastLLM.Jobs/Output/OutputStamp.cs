using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Output;

/// <summary>Represents a file at a moment, as far as the system tells without reading it.</summary>
/// <param name="Status">Its identity, permissions and length.</param>
/// <param name="Written">The time of the last write to it.</param>
internal readonly record struct OutputStamp(FileStatus Status, DateTime Written)
{
    /// <summary>Gets the file at a path; <see langword="null"/> if nothing is there.</summary>
    public static OutputStamp? Of(string path) =>
        FileStatus.Of(path) is { } status ? new OutputStamp(status, File.GetLastWriteTimeUtc(path)) : null;
}
