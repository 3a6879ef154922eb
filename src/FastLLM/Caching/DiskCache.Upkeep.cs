using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using FastLLM.Caching;
using FastLLM.Diagnostics;
using FastLLM.Pipeline;

namespace FastLLM;

// What is done to a cache as a whole: counted, looked through, tidied up, carried elsewhere.
public sealed partial class DiskCache
{
    // A damaged row may say any time, also one that no calendar has.
    private const string Dated = "WHERE created BETWEEN 0 AND 253402300799999";

    /// <summary>Counts what the cache holds.</summary>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public Task<DiskCacheStats> GetStatsAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        return Task.Run(ReadStats, cancellationToken);
    }

    /// <summary>Looks at every entry and at the database's structure. Others may use the cache meanwhile.</summary>
    /// <param name="cancellationToken">Stops the looking.</param>
    public Task<DiskCacheVerification> VerifyAsync(CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        return Task.Run(() => Verify(cancellationToken), cancellationToken);
    }

    /// <summary>Drops entries that fit all that is named; with nothing named, those older than the cache's <see cref="DiskCacheOptions.Ttl"/>. Their room is given back to the disk.</summary>
    /// <param name="olderThan">Only entries received longer ago than this.</param>
    /// <param name="scope">Only entries of this endpoint.</param>
    /// <param name="model">Only entries of this model.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <returns>How many were dropped.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="olderThan"/> is negative.</exception>
    public async Task<long> PruneAsync(TimeSpan? olderThan = null, string? scope = null, string? model = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(olderThan ?? TimeSpan.Zero, TimeSpan.Zero, nameof(olderThan));
        ThrowIfClosed();
        TimeSpan? age = olderThan ?? (scope is null && model is null ? _options.Ttl : null);
        if (age is null && scope is null && model is null)
        {
            return 0;
        }

        DateTimeOffset? before = age is { } a ? Ago(a) : null;
        long dropped = 0;
        await Cancellable(_writer.DoAsync(database => dropped = CacheUpkeep.Prune(database, before, scope, model)), cancellationToken).ConfigureAwait(false);
        return dropped;
    }

    /// <summary>Drops the oldest entries until the database takes no more than so many bytes.</summary>
    /// <param name="mostBytes">The most bytes that the database may take.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <returns>How many were dropped.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="mostBytes"/> is negative.</exception>
    public async Task<long> ShrinkAsync(long mostBytes, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(mostBytes);
        ThrowIfClosed();
        long dropped = 0;
        await Cancellable(
            _writer.DoAsync(database =>
            {
                dropped = CacheUpkeep.DropOldest(database, mostBytes);
                CacheUpkeep.Compact(database);
            }),
            cancellationToken).ConfigureAwait(false);
        return dropped;
    }

    /// <summary>Reads all sound entries, the oldest first.</summary>
    /// <param name="cancellationToken">Stops the reading.</param>
    public async IAsyncEnumerable<(RequestKey Key, CacheEntry Entry)> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        const int AtOnce = 200;
        ThrowIfClosed();
        long last = long.MinValue;
        while (true)
        {
            // Some at a time: a long read would keep the log from being begun anew.
            (List<(RequestKey, CacheEntry)> rows, long next) = await Task.Run(() => ReadAfter(last, AtOnce), cancellationToken).ConfigureAwait(false);
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

    /// <summary>Takes entries over from elsewhere. Where an entry of the same key and scope is there, the newer one counts.</summary>
    /// <param name="entries">The entries.</param>
    /// <param name="cancellationToken">Stops the taking over; what was taken over stays.</param>
    /// <returns>How many were read.</returns>
    public async Task<long> ImportAsync(IAsyncEnumerable<(RequestKey Key, CacheEntry Entry)> entries, CancellationToken cancellationToken = default)
    {
        const int AtOnce = 1000;
        const long BytesAtOnce = 16 << 20;
        ArgumentNullException.ThrowIfNull(entries);
        ThrowIfClosed();
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
                if (some.Count == AtOnce || bytes > BytesAtOnce)
                {
                    await _writer.DoAsync(database => CacheImport.InsertAll(database, some)).ConfigureAwait(false);
                    some.Clear();
                    bytes = 0;
                }
            }
        }
        finally
        {
            await _writer.DoAsync(database => CacheImport.InsertAll(database, some)).ConfigureAwait(false);
        }

        return count;
    }

    private DiskCacheStats ReadStats()
    {
        using CacheDatabase database = CacheDatabase.OpenToRead(_folder.Database);
        var shares = new List<DiskCacheShare>();
        using (Statement groups = database.Prepare("SELECT scope, model, count(*), sum(length(body)) FROM answers GROUP BY scope, model ORDER BY 3 DESC"))
        {
            while (groups.Step())
            {
                shares.Add(new DiskCacheShare(Encoding.UTF8.GetString(groups.Blob(0)), Encoding.UTF8.GetString(groups.Blob(1)), groups.Integer(2), groups.Integer(3)));
            }
        }

        long entries = shares.Sum(share => share.Entries);
        return new DiskCacheStats
        {
            Entries = entries,
            AnswerBytes = shares.Sum(share => share.AnswerBytes),
            FileBytes = new FileInfo(_folder.Database).Length + new FileInfo(_folder.Log).Length,
            Oldest = entries == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(database.Number($"SELECT min(created) FROM answers {Dated}")),
            Newest = entries == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(database.Number($"SELECT max(created) FROM answers {Dated}")),
            Evicted = _writer.Evicted,
            Damaged = Interlocked.Read(ref _damaged),
            Shares = shares,
        };
    }

    private DiskCacheVerification Verify(CancellationToken cancellationToken)
    {
        try
        {
            using CacheDatabase database = CacheDatabase.OpenToRead(_folder.Database);
            IReadOnlyList<string> problems = CacheUpkeep.CheckStructure(database);
            (long sound, long damaged) = CacheUpkeep.CheckRows(database, cancellationToken);
            if (damaged > 0 || problems.Count > 0)
            {
                _folder.RemoveCleanMarker();
            }

            return new DiskCacheVerification { Sound = sound, Damaged = damaged, Problems = problems };
        }
        catch (SqliteFault e) when (e.IsDamage)
        {
            _folder.RemoveCleanMarker();
            return new DiskCacheVerification { Problems = [e.Message] };
        }
    }

    private (List<(RequestKey Key, CacheEntry Entry)> Rows, long Last) ReadAfter(long last, int count)
    {
        var rows = new List<(RequestKey, CacheEntry)>(count);
        using CacheDatabase database = CacheDatabase.OpenToRead(_folder.Database);
        using Statement some = database.Prepare(string.Create(
            CultureInfo.InvariantCulture, $"SELECT {CacheDatabase.Columns}, id FROM answers WHERE id > ?1 ORDER BY id LIMIT {count}"));
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
