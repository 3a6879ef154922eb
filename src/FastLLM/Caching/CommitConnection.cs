using FastLLM.Diagnostics;

namespace FastLLM.Caching;

/// <summary>Represents the writing connection with its prepared statements.</summary>
internal sealed class CommitConnection : IDisposable
{
    private readonly Statement _begin;
    private readonly Statement _insert;
    private readonly Statement _commit;

    public CommitConnection(CacheFolder folder, DiskCacheOptions options)
    {
        Database = CacheDatabase.OpenToWrite(folder.Database, options.Durability, options.MaxPages);
        try
        {
            _begin = Database.Prepare("BEGIN IMMEDIATE");
            _insert = Database.Prepare($"INSERT OR REPLACE INTO answers({CacheDatabase.Columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
            _commit = Database.Prepare("COMMIT");
        }
        catch
        {
            Database.Dispose();
            throw;
        }
    }

    public CacheDatabase Database { get; }

    public void Write(List<CachePut> puts)
    {
        _begin.Run();
        try
        {
            int half = puts.Count / 2;
            foreach (CachePut put in puts)
            {
                if (half-- == 0)
                {
                    KillPoint.Reached(KillPoint.MidCommitBatch);
                }

                put.Run(_insert);
            }

            _commit.Run();
        }
        catch
        {
            Database.TryRollBack();
            throw;
        }
    }

    public void Dispose()
    {
        _begin.Dispose();
        _insert.Dispose();
        _commit.Dispose();
        Database.Dispose();
    }
}
