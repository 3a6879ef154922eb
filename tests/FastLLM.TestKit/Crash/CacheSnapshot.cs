using System.Security.Cryptography;
using Microsoft.Data.Sqlite;

namespace FastLLM.TestKit.Crash;

/// <summary>What a cache holds of a job's rows. A copy is opened, so that the next process finds the original as its killed predecessor left it.</summary>
public sealed class CacheSnapshot
{
    private CacheSnapshot(Dictionary<string, string> answers, IReadOnlyList<string> repairs)
    {
        Answers = answers;
        Repairs = repairs;
    }

    /// <summary>Gets the answers by the SHA-256 of the request's body; each as the SHA-256 of its own.</summary>
    public IReadOnlyDictionary<string, string> Answers { get; }

    /// <summary>Gets what the cache had to mend when it was opened. A kill must leave nothing to mend.</summary>
    public IReadOnlyList<string> Repairs { get; }

    /// <summary>Asks SQLite itself whether the database is sound. To be called when nobody uses it.</summary>
    public static string CheckIntegrity(string directory)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(directory, "cache.db")};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check";
        return (string)command.ExecuteScalar()!;
    }

    public static async Task<CacheSnapshot> ReadAsync(string directory, CrashInput input, string scope)
    {
        var repairs = new List<string>();
        var answers = new Dictionary<string, string>();
        if (!Directory.Exists(directory))
        {
            return new CacheSnapshot(answers, repairs);
        }

        string copy = Directory.CreateTempSubdirectory("fastllm-copy-").FullName;
        try
        {
            foreach (string file in Directory.GetFiles(directory))
            {
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            }

            await using var cache = new DiskCache(copy, new DiskCacheOptions { OnNotice = repairs.Add });
            foreach (CrashRow row in input.Rows)
            {
                if (await cache.GetAsync(row.Key, scope) is { } entry)
                {
                    answers[row.Sha256] = Convert.ToHexStringLower(SHA256.HashData(entry.Body.Span));
                }
            }

            return new CacheSnapshot(answers, repairs);
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }
    }
}
