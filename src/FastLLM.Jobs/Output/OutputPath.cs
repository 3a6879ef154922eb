using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Output;

/// <summary>Checks where an output may be written, and moves away the files that are in its place.</summary>
internal static class OutputPath
{
    /// <summary>The ending of the name that a file has until it is complete and takes its place.</summary>
    public const string Unfinished = ".tmp";

    /// <summary>Gets the full path of a file that may be written; it need not exist.</summary>
    /// <exception cref="IOException">The path or its unfinished file is a directory, the path is a device or a symbolic link, or its folder
    /// does not exist.</exception>
    public static string Check(string path)
    {
        path = Path.GetFullPath(path);
        if (Directory.Exists(path) || Path.EndsInDirectorySeparator(path))
        {
            throw new IOException($"{path} is a folder. Name a file in it.");
        }

        RefuseLink(path);
        bool isDevice = !OperatingSystem.IsWindows() && path.StartsWith("/dev/", StringComparison.Ordinal);
        if (isDevice || FileStatus.Of(path) is { IsRegular: false })
        {
            throw new IOException($"{path} is not a regular file. Name one, or write to standard output with -o -.");
        }

        RefuseFolder(path + Unfinished);
        string folder = Path.GetDirectoryName(path)!;
        return Directory.Exists(folder)
            ? path
            : throw new DirectoryNotFoundException($"The folder {folder}, where the output belongs, does not exist. "
                + "Create it, or name another output.");
    }

    /// <summary>Refuses a symbolic link: the sort would replace it, or a write would change a file that the user did not name.</summary>
    /// <exception cref="IOException">The path is a symbolic link.</exception>
    public static void RefuseLink(string path)
    {
        if (new FileInfo(path).LinkTarget is { } target)
        {
            throw new IOException($"{path} is a symbolic link to {target}. Name the file itself.");
        }
    }

    /// <summary>Deletes the unfinished file of a killed run.</summary>
    /// <exception cref="IOException">A directory is there.</exception>
    public static void DeleteUnfinished(string path)
    {
        RefuseFolder(path);
        File.Delete(path);
    }

    /// <summary>Renames an existing file to the first free name of <c>.bak</c>, <c>.bak2</c> …: paid answers are never
    /// overwritten.</summary>
    /// <returns>The new name; <see langword="null"/> if nothing was there.</returns>
    public static string? SetAside(string path)
    {
        if (FileStatus.Of(path) is not { } there)
        {
            return null;
        }

        string aside = PlainFile.FreeName(path + ".bak");
        (there.IsFolder ? (Action<string, string>)Directory.Move : File.Move)(path, aside);
        return aside;
    }

    /// <summary>Determines whether a job that writes to <paramref name="output"/> writes to <paramref name="path"/>, as the output or a
    /// file beside it.</summary>
    public static bool IsWritten(string path, string output)
    {
        (path, output) = (Target(path), Target(output));
        return path.StartsWith(output, StringComparison.Ordinal)
            && (path.Length == output.Length
                || path.AsSpan(output.Length).TrimEnd("0123456789") is
                    Unfinished or ".partial.tmp" or ".lock" or ".bak" or ".torn" or ".damaged" or ".spent" or ".limits" or ".refresh");
    }

    /// <summary>Determines whether two paths are one file.</summary>
    public static bool IsSame(string path, string other) => Target(path) == Target(other);

    private static void RefuseFolder(string path)
    {
        if (FileStatus.Of(path) is { IsFolder: true } folder)
        {
            PlainFile.Require(path, folder);
        }
    }

    private static string Target(string path) =>
        (File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName : null) ?? Path.GetFullPath(path);
}
