using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using FastLLM.Cluster.Chunks;
using FastLLM.Jobs.Planning;

namespace FastLLM.Cluster.Client;

/// <summary>Names jobs: by the name of the input, and by what is asked, so that the same command finds the job that it submitted.</summary>
internal static class JobIdentity
{
    private const int MaxName = 24;

    /// <summary>Returns the id of a job.</summary>
    /// <param name="input">The path of the input.</param>
    /// <param name="rows">All rows of the input.</param>
    /// <param name="spec">What the job says. How fast it sends is not part of what is asked.</param>
    public static string Of(string input, RowIndex rows, JobSpec spec)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var sending = new SendingSpec { RefreshFinishReasons = spec.Sending.RefreshFinishReasons };
        hash.AppendData(Encoding.UTF8.GetBytes((spec with { Sending = sending, Prices = null }).ToJson()));
        Span<byte> row = stackalloc byte[16];
        for (var i = 0; i < rows.Count; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(row, rows.IdOf(i));
            BinaryPrimitives.WriteUInt64LittleEndian(row[8..], rows.KeyOf(i));
            hash.AppendData(row);
        }

        return $"{NameOf(input)}-{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 4))}";
    }

    /// <summary>Returns the id of the job that sends what earlier jobs of the same name did not answer.</summary>
    /// <param name="id">The id of the first job.</param>
    /// <param name="generation">The number of the job, from 1.</param>
    public static string Of(string id, int generation) =>
        generation == 1 ? id : string.Create(CultureInfo.InvariantCulture, $"{id}-{generation}");

    private static string NameOf(string input)
    {
        string name = Path.GetFileName(input).Split('.')[0].ToLowerInvariant();
        var text = new StringBuilder();
        foreach (char c in name)
        {
            text.Append(char.IsAsciiLetterOrDigit(c) ? c : '-');
        }

        string cleaned = text.ToString().Trim('-');
        return cleaned.Length == 0 ? "job" : cleaned[..Math.Min(MaxName, cleaned.Length)].TrimEnd('-');
    }
}
