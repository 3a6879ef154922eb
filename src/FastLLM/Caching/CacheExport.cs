using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace FastLLM.Caching;

/// <summary>Reads all entries of a cache, and writes them as lines of JSON.</summary>
internal static class CacheExport
{
    private const int RowsAtOnce = 200;
    private const int BytesAtOnce = 1 << 16;

    /// <summary>Reads all intact entries, oldest first.</summary>
    public static async IAsyncEnumerable<(RequestKey Key, CacheEntry Entry)> ReadAllAsync(
        CacheFolder folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long last = long.MinValue;
        while (true)
        {
            // Some at a time: a long read would keep the log from being restarted.
            (List<(RequestKey, CacheEntry)> rows, long next) = await Task.Run(() => ReadAfter(folder, last), cancellationToken)
                .ConfigureAwait(false);
            foreach ((RequestKey, CacheEntry) row in rows)
            {
                yield return row;
            }

            if (next == last)
            {
                yield break;
            }

            last = next;
        }
    }

    /// <summary>Writes all intact entries, oldest first.</summary>
    /// <returns>The number of written entries.</returns>
    public static async Task<long> WriteAsync(CacheFolder folder, Stream output, CancellationToken cancellationToken)
    {
        var lines = new ArrayBufferWriter<byte>(2 * BytesAtOnce);
        long count = 0;
        await foreach ((RequestKey key, CacheEntry entry) in ReadAllAsync(folder, cancellationToken).ConfigureAwait(false))
        {
            CacheLine.Write(lines, key, entry);
            count++;
            if (lines.WrittenCount >= BytesAtOnce)
            {
                await output.WriteAsync(lines.WrittenMemory, cancellationToken).ConfigureAwait(false);
                lines.ResetWrittenCount();
            }
        }

        await output.WriteAsync(lines.WrittenMemory, cancellationToken).ConfigureAwait(false);
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        return count;
    }

    private static (List<(RequestKey Key, CacheEntry Entry)> Rows, long Last) ReadAfter(CacheFolder folder, long last)
    {
        var rows = new List<(RequestKey, CacheEntry)>(RowsAtOnce);
        using CacheDatabase database = CacheDatabase.OpenToRead(folder.Database);
        using Statement some = database.Prepare(string.Create(
            CultureInfo.InvariantCulture, $"SELECT {CacheDatabase.Columns}, id FROM answers WHERE id > ?1 ORDER BY id LIMIT {RowsAtOnce}"));
        some.Bind(1, last);
        while (some.Step())
        {
            if (CacheRow.Read(some, null) is { } row)
            {
                rows.Add(row);
            }

            last = some.Integer(7);
        }

        return (rows, last);
    }
}
