using System.Diagnostics;
using SQLitePCL;
using static SQLitePCL.raw;

namespace FastLLM.Caching;

/// <summary>A prepared statement, used again and again. Below ADO.NET, since a hit costs a few microseconds and its objects would cost more than the read.</summary>
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

    /// <summary>Binds UTF-8 text, which may hold NUL.</summary>
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

    /// <summary>Takes the next row.</summary>
    /// <returns>Whether there is one.</returns>
    /// <exception cref="SqliteFault">The database has none to give: it is full, damaged, gone …</exception>
    public bool Step()
    {
        int code = sqlite3_step(_statement);
        if (code is SQLITE_ROW or SQLITE_DONE)
        {
            return code == SQLITE_ROW;
        }

        throw SqliteFault.Of(_database, code);
    }

    /// <summary>Runs the statement to its end, and makes it ready to be used again.</summary>
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

    /// <summary>Bytes that are good until the next step.</summary>
    public ReadOnlySpan<byte> Blob(int column) => sqlite3_column_blob(_statement, column);

    public long Integer(int column) => sqlite3_column_int64(_statement, column);

    public void Reset() => _ = sqlite3_reset(_statement); // says again what the step has said

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
