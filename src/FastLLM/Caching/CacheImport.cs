using System.Globalization;
using System.Runtime.CompilerServices;
using FastLLM.Json;

namespace FastLLM.Caching;

/// <summary>Adds entries from a damaged database or another cache. Of two entries for one question, the newer one is kept.</summary>
internal static class CacheImport
{
    public const string InsertNewer =
        $"""
        INSERT INTO answers({CacheDatabase.Columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT(key, scope) DO UPDATE SET status=excluded.status, model=excluded.model, created=excluded.created,
            digest=excluded.digest, body=excluded.body
        WHERE excluded.created > answers.created
        """;

    private const int MaxInTransaction = 1000;
    private const long MaxBytesInTransaction = 16 << 20;

    /// <summary>Adds entries, some of them at a time.</summary>
    /// <returns>The number of entries read.</returns>
    public static async Task<long> AddAsync(
        CacheWriter writer, IAsyncEnumerable<(RequestKey Key, CacheEntry Entry)> entries, CancellationToken cancellationToken)
    {
        long count = 0, bytes = 0;
        var some = new List<(RequestKey Key, CacheEntry Entry)>();
        try
        {
            await foreach ((RequestKey Key, CacheEntry Entry) row in entries.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                ArgumentNullException.ThrowIfNull(row.Entry.Scope, nameof(entries));
                some.Add(row);
                count++;
                bytes += row.Entry.Body.Length;
                if (some.Count == MaxInTransaction || bytes > MaxBytesInTransaction)
                {
                    await writer.DoAsync(database => InsertAll(database, some)).ConfigureAwait(false);
                    some.Clear();
                    bytes = 0;
                }
            }
        }
        finally
        {
            await writer.DoAsync(database => InsertAll(database, some)).ConfigureAwait(false);
        }

        return count;
    }

    /// <summary>Reads the lines of an export.</summary>
    /// <exception cref="FormatException">A line is not an entry; the message names the line.</exception>
    public static async IAsyncEnumerable<(RequestKey Key, CacheEntry Entry)> ReadLinesAsync(
        Stream input, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var lines = new LineReader(input);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.Span.ContainsAnyExcept(" \t\r"u8))
            {
                yield return EntryOf(line, lines.Line);
            }
        }
    }

    private static void InsertAll(CacheDatabase database, List<(RequestKey Key, CacheEntry Entry)> rows) => database.InTransaction(() =>
    {
        using Statement insert = database.Prepare(InsertNewer);
        foreach ((RequestKey key, CacheEntry entry) in rows)
        {
            CachePut.Of(key, entry).Run(insert);
        }
    });

    private static (RequestKey Key, CacheEntry Entry) EntryOf(ReadOnlyMemory<byte> line, long number)
    {
        try
        {
            return CacheLine.Read(line);
        }
        catch (FormatException e)
        {
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"Line {number} cannot be imported: {e.Message}."), e);
        }
    }
}
