using System.Text.Json;

namespace FastLLM.Jobs.Input;

/// <summary>Files that rows name, as data URLs. Rows are not trusted: only what lies in the input's folder, or below it, is read.</summary>
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

    /// <summary>The file as a data URL.</summary>
    /// <exception cref="JsonException">It is none that may be read.</exception>
    public static string Of(string path, string folder)
    {
        string shown = path.Length <= 100 ? path : path[..100] + "…";
        try
        {
            string below = Path.TrimEndingDirectorySeparator(Real(Path.GetFullPath(folder)));
            string file = Path.IsPathRooted(path) ? path : Path.Combine(below, path);
            string real = Real(Path.GetFullPath(file));
            if (!real.StartsWith(below + Path.DirectorySeparatorChar, StringComparison.Ordinal) && below != Path.GetPathRoot(below))
            {
                throw new JsonException($"The file \"{shown}\" does not lie in the input's folder, or below it; others are not read.");
            }

            if (!s_types.TryGetValue(Path.GetExtension(real), out string? type))
            {
                throw new JsonException($"What the file \"{shown}\" holds is not known from its name. Known are {string.Join(", ", s_types.Keys)}.");
            }

            var info = new FileInfo(real);
            return !info.Exists ? throw new JsonException($"There is no file \"{shown}\".")
                : info.Length > MaxBytes ? throw new JsonException($"The file \"{shown}\" is larger than {MaxBytes >> 20} MB.")
                : $"data:{type};base64,{Convert.ToBase64String(File.ReadAllBytes(real))}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new JsonException($"The file \"{shown}\" cannot be read: {e.Message}", e);
        }
    }

    // Where a path leads when every link on its way is followed.
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
