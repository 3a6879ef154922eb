using System.Diagnostics;
using SQLitePCL;
using static SQLitePCL.raw;

namespace FastLLM.Caching;

/// <summary>Represents a prepared statement. It bypasses ADO.NET, whose objects would cost more than the few microseconds of a cache
/// hit.</summary>
internal sealed class Statement : IDisposable
{
    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;

    public Statement(sqlite3 database, string sql)
    {
        _database = database;
        Check(sqlite3_prepare_v2(database, sql, out _statement));
    }

    public Statement Bind(int place, ReadOnlySpan<byte> blob)
    {
        Check(blob.IsEmpty ? sqlite3_bind_zeroblob(_statement, place, 0) : sqlite3_bind_blob(_statement, place, blob));
        return this;
    }

    /// <summary>Binds UTF-8 text, which may contain NUL.</summary>
    public Statement BindText(int place, ReadOnlySpan<byte> utf8)
    {
        Check(utf8.IsEmpty ? sqlite3_bind_text(_statement, place, "") : sqlite3_bind_text(_statement, place, utf8));
        return this;
    }

    public Statement Bind(int place, long value)
    {
        Check(sqlite3_bind_int64(_statement, place, value));
        return this;
    }

    /// <summary>Reads the next row.</summary>
    /// <returns>Whether there is one.</returns>
    /// <exception cref="SqliteFault">The database cannot be read or written.</exception>
    public bool Step()
    {
        int code = sqlite3_step(_statement);
        if (code is SQLITE_ROW or SQLITE_DONE)
        {
            return code == SQLITE_ROW;
        }

        throw SqliteFault.Of(_database, code);
    }

    /// <summary>Runs the statement to its end and resets it.</summary>
    public void Run()
    {
        try
        {
            while (Step())
            {
            }
        }
        finally
        {
            Reset();
        }
    }

    /// <summary>Gets bytes, which are valid until the next step.</summary>
    public ReadOnlySpan<byte> Blob(int column) => sqlite3_column_blob(_statement, column);

    public long Integer(int column) => sqlite3_column_int64(_statement, column);

    public void Reset() => _ = sqlite3_reset(_statement); // repeats the result of the step

    public void Dispose() => _statement.Dispose();

    private void Check(int code)
    {
        Debug.Assert(code != SQLITE_MISUSE, "A statement is used by two threads, or after its end.");
        if (code != SQLITE_OK)
        {
            throw SqliteFault.Of(_database, code);
        }
    }
}
