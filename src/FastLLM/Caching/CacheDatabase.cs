using System.Globalization;
using FastLLM.Diagnostics;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace FastLLM.Caching;

/// <summary>Represents a connection to the cache's database, with explicit settings instead of SQLite's defaults.</summary>
/// <remarks>The format is described in <c>docs/cache-format.md</c>; every later release must read it.</remarks>
internal sealed class CacheDatabase : IDisposable
{
    /// <summary>The format that this release writes, and the newest that it reads.</summary>
    public const int FormatVersion = 1;

    /// <summary>"fllm": marks a database as a cache.</summary>
    public const int ApplicationId = 0x666C6C6D;

    public const string Columns = "key, scope, status, model, created, digest, body";

    // Ids grow, so that a new row is appended to the table. Ordered by key, each put would change a random page, at a fifth of the speed.
    private const string Schema =
        """
        CREATE TABLE answers(
            id INTEGER PRIMARY KEY,
            key BLOB NOT NULL,
            scope TEXT NOT NULL,
            status INTEGER NOT NULL,
            model TEXT NOT NULL,
            created INTEGER NOT NULL,
            digest BLOB NOT NULL,
            body BLOB NOT NULL);
        CREATE UNIQUE INDEX answers_by_key ON answers(key, scope);
        """;

    // The database, and what SQLite opens beside it.
    private static readonly string[] s_suffixes = ["", "-wal", "-shm", "-journal"];

    private readonly SqliteConnection _connection;

    private CacheDatabase(SqliteConnection connection)
    {
        _connection = connection;
    }

    public static string SqliteVersion
    {
        get
        {
            using var connection = new SqliteConnection("Data Source=:memory:");
            connection.Open();
            return connection.ServerVersion;
        }
    }

    public sqlite3 Handle => _connection.Handle!;

    /// <summary>Opens the database to write. The caller holds the write lock, also when it disposes the connection: SQLite may recover or
    /// checkpoint.</summary>
    public static CacheDatabase OpenToWrite(string path, Durability durability, int? mostPages)
    {
        if (FileStatus.Of(path) is null)
        {
            CacheFolder.CreatePrivate(path); // SQLite would let all read it; the files beside it get its permissions
        }

        CacheDatabase database = Open(path, SqliteOpenMode.ReadWriteCreate);
        try
        {
            database.Set("journal_mode", "wal");
            database.Set("synchronous", durability == Durability.PowerLoss ? 2 : 1);
            database.Set("wal_autocheckpoint", 0);
            database.Set("secure_delete", 1);
            database.Set("cache_size", -16_384);
            if (mostPages is { } pages)
            {
                database.Set("max_page_count", pages);
            }

            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Opens the database to read.</summary>
    public static CacheDatabase OpenToRead(string path) => Open(path, SqliteOpenMode.ReadOnly);

    /// <summary>Refuses a link, a pipe or a directory in place of the database or of what SQLite opens beside it: SQLite follows
    /// links.</summary>
    /// <exception cref="IOException">It is refused.</exception>
    public static void RefuseLinks(string path)
    {
        foreach (string suffix in s_suffixes)
        {
            if (FileStatus.Of(path + suffix) is { } there)
            {
                PlainFile.Require(path + suffix, there);
            }
        }
    }

    /// <summary>Creates the tables of an empty database.</summary>
    public void CreateSchema() => InTransaction(() =>
    {
        Execute(Schema);
        KillPoint.Reached(KillPoint.DuringSchemaCreation);
        Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA application_id={ApplicationId}"));
        Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version={FormatVersion}"));
    });

    /// <summary>Runs <paramref name="change"/> in a transaction, and rolls it back if it throws.</summary>
    public void InTransaction(Action change)
    {
        Execute("BEGIN IMMEDIATE");
        try
        {
            change();
            Execute("COMMIT");
        }
        catch
        {
            TryRollBack();
            throw;
        }
    }

    public Statement Prepare(string sql) => new(Handle, sql);

    public void Execute(string sql)
    {
        using SqliteCommand command = _connection.CreateCommand();
#pragma warning disable CA2100 // only constants of this assembly; values are bound
        command.CommandText = sql;
#pragma warning restore CA2100
        try
        {
            command.ExecuteNonQuery();
        }
        catch (SqliteException e)
        {
            throw SqliteFault.Of(e);
        }
    }

    public long Number(string sql)
    {
        using Statement statement = Prepare(sql);
        return statement.Step() ? statement.Integer(0) : 0;
    }

    public void TryRollBack()
    {
        try
        {
            Execute("ROLLBACK");
        }
        catch (SqliteFault)
        {
            // SQLite may have rolled back already.
        }
    }

    /// <summary>Moves the contents of the write-ahead log into the database. The caller holds the write lock.</summary>
    /// <param name="truncate">Whether to wait for readers and empty the log.</param>
    /// <returns>Whether everything was moved.</returns>
    public bool Checkpoint(bool truncate)
    {
        KillPoint.IsBeginning(KillPoint.DuringCheckpoint);
        using Statement statement = Prepare(truncate ? "PRAGMA wal_checkpoint(TRUNCATE)" : "PRAGMA wal_checkpoint(PASSIVE)");
        return statement.Step() && statement.Integer(0) == 0 && statement.Integer(1) == statement.Integer(2);
    }

    /// <summary>Leaves the log unchanged when the connection is closed, for a caller without the write lock. Does nothing after the
    /// connection is closed.</summary>
    public void LeaveLog()
    {
        if (_connection.Handle is { } handle)
        {
            _ = raw.sqlite3_db_config(handle, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, out _);
        }
    }

    public void Dispose() => _connection.Dispose();

    private static CacheDatabase Open(string path, SqliteOpenMode mode)
    {
        RefuseLinks(path);
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ToString());
        var database = new CacheDatabase(connection);
        try
        {
            connection.Open();
            database.Set("busy_timeout", 10_000);
            return database;
        }
        catch (SqliteException e)
        {
            database.Dispose();
            throw SqliteFault.Of(e);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    // Read back, because SQLite ignores an unknown setting silently.
    private void Set(string pragma, object value)
    {
        string wanted = Convert.ToString(value, CultureInfo.InvariantCulture)!;
        Execute($"PRAGMA {pragma}={wanted}");
        using Statement statement = Prepare($"PRAGMA {pragma}");
        string got = statement.Step() ? System.Text.Encoding.UTF8.GetString(statement.Blob(0)) : "";
        if (got != wanted)
        {
            throw new IOException($"SQLite does not accept {pragma}={wanted}: it stays {got}.");
        }
    }
}
