using System.Text.Json;
using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Input;

/// <summary>Reads the files that rows name as data URLs. Rows are not trusted: files outside the input's folder are not read.</summary>
internal static class DataUrl
{
    private const long MaxBytes = 50L << 20;

    private static readonly Dictionary<string, string> s_types = new(StringComparer.OrdinalIgnoreCase)
    {
        [".png"] = "image/png",
        [".jpg"] = "image/jpeg",
        [".jpeg"] = "image/jpeg",
        [".gif"] = "image/gif",
        [".webp"] = "image/webp",
        [".bmp"] = "image/bmp",
        [".pdf"] = "application/pdf",
        [".wav"] = "audio/wav",
        [".mp3"] = "audio/mpeg",
    };

    /// <summary>Gets a file as a data URL.</summary>
    /// <exception cref="JsonException">The file may not or cannot be read.</exception>
    public static string Of(string path, string folder)
    {
        string shown = path.Length <= 100 ? path : path[..100] + "…";
        try
        {
            string below = Path.TrimEndingDirectorySeparator(Real(Path.GetFullPath(folder)));
            string file = Path.IsPathRooted(path) ? path : Path.Combine(below, path);
            string real = Real(Path.GetFullPath(file));
            RequireBelow(real, below, shown);

            if (!s_types.TryGetValue(Path.GetExtension(real), out string? type))
            {
                throw new JsonException($"The type of the file \"{shown}\" is unknown. Known types: {string.Join(", ", s_types.Keys)}.");
            }

            return FileStatus.Of(real) switch
            {
                null => throw new JsonException($"The file \"{shown}\" does not exist."),
                // A pipe would be waited for.
                { IsRegular: false } => throw new JsonException($"The file \"{shown}\" is not a regular file."),
                { } there => $"data:{type};base64,{Convert.ToBase64String(Read(real, there, below, shown))}",
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new JsonException($"The file \"{shown}\" cannot be read: {e.Message}", e);
        }
    }

    private static void RequireBelow(string real, string below, string shown)
    {
        if (!real.StartsWith(below + Path.DirectorySeparatorChar, StringComparison.Ordinal) && below != Path.GetPathRoot(below))
        {
            throw new JsonException($"The file \"{shown}\" is outside the input's folder; only files inside it are read.");
        }
    }

    // What was opened is looked at once more: a link may have been put in the path meanwhile.
    private static byte[] Read(string real, FileStatus there, string below, string shown)
    {
        using SafeFileHandle file = File.OpenHandle(real, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (FileStatus.Of(file) is not { } opened || !opened.IsSameFile(there))
        {
            throw new JsonException($"The file \"{shown}\" was replaced while it was read.");
        }

        RequireBelow(Real(real), below, shown);
        if (opened.Length > MaxBytes)
        {
            throw new JsonException($"The file \"{shown}\" is larger than {MaxBytes >> 20} MB.");
        }

        byte[] bytes = new byte[opened.Length];
        int length = 0;
        while (length < bytes.Length && RandomAccess.Read(file, bytes.AsSpan(length), length) is > 0 and var read)
        {
            length += read;
        }

        return bytes[..length];
    }

    // Follows every link in a path.
    private static string Real(string path)
    {
        string root = Path.GetPathRoot(path)!;
        string real = root;
        foreach (string part in path[root.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            string next = Path.Combine(real, part);
            FileSystemInfo info = Directory.Exists(next) ? new DirectoryInfo(next) : new FileInfo(next);
            real = info.LinkTarget is null ? next : Real(Path.GetFullPath(info.ResolveLinkTarget(returnFinalTarget: true)!.FullName));
        }

        return real;
    }
}
