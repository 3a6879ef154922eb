using FastLLM.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Keeps copies of an output with lines that are no records, at the first free name of <c>.damaged</c>, <c>.damaged2</c>
/// …</summary>
internal static class DamagedCopy
{
    private const int ChunkBytes = 1 << 20;

    /// <summary>Copies the output, unless the last copy holds all of its damaged lines already: until it is sorted, an output only
    /// grows.</summary>
    /// <param name="log">The output.</param>
    /// <param name="path">Its path.</param>
    /// <param name="damagedEnd">The offset of the end of the last damaged line.</param>
    /// <returns>The copy's path.</returns>
    /// <exception cref="IOException">The copy cannot be written.</exception>
    public static string Keep(SafeFileHandle log, string path, long damagedEnd)
    {
        string name = path + ".damaged";
        if (Last(name) is { } last && Holds(last, log, damagedEnd))
        {
            return last;
        }

        using FileStream copy = PlainFile.CreateNumbered(name);
        OutputWatch.CopyTo(copy, log);
        return copy.Name;
    }

    private static string? Last(string name)
    {
        string? last = null;
        for (var n = 1; FileStatus.Of(PlainFile.Numbered(name, n)) is { } there; n++)
        {
            last = there.IsRegular ? PlainFile.Numbered(name, n) : last;
        }

        return last;
    }

    // Whether the copy is the beginning of the output, up to its last damaged line.
    private static bool Holds(string copy, SafeFileHandle log, long damagedEnd)
    {
        try
        {
            using SafeFileHandle file = OutputScan.OpenForReading(copy);
            byte[] one = new byte[ChunkBytes], other = new byte[ChunkBytes];
            for (long at = 0; at < damagedEnd;)
            {
                int length = (int)Math.Min(ChunkBytes, damagedEnd - at);
                int read = RandomAccess.Read(file, one.AsSpan(0, length), at);
                if (read == 0 || RandomAccess.Read(log, other.AsSpan(0, read), at) != read
                    || !one.AsSpan(0, read).SequenceEqual(other.AsSpan(0, read)))
                {
                    return false;
                }

                at += read;
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
