using Microsoft.Data.Sqlite;
using SQLitePCL;
using static SQLitePCL.raw;

namespace FastLLM.Caching;

/// <summary>Represents an error of SQLite.</summary>
internal sealed class SqliteFault(int code, string message) : IOException(message)
{
    public int Code { get; } = code;

    public bool IsFull => IsFullCode(Code);

    /// <summary>Gets whether the database is damaged.</summary>
    public bool IsDamage => IsDamageCode(Code);

    public static SqliteFault Of(sqlite3 database, int code)
    {
        int extended = sqlite3_extended_errcode(database);
        return new SqliteFault((extended & 0xFF) == (code & 0xFF) ? extended : code, sqlite3_errmsg(database).utf8_to_string());
    }

    public static SqliteFault Of(SqliteException e) => new(e.SqliteExtendedErrorCode, e.Message);

    private static bool IsFullCode(int code) => (code & 0xFF) == SQLITE_FULL;

    private static bool IsDamageCode(int code) =>
        (code & 0xFF) is SQLITE_CORRUPT or SQLITE_NOTADB or SQLITE_FORMAT or SQLITE_ERROR || code == SQLITE_IOERR_SHORT_READ;
}
