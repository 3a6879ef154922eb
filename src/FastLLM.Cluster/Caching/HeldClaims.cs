using Npgsql;
using NpgsqlTypes;

namespace FastLLM.Cluster.Caching;

/// <summary>Keeps the claims that this cache holds, and renews them in groups. A timer runs only while there are any.</summary>
internal sealed class HeldClaims : IDisposable
{
    // A claim that is missing is made again: after a crash of the database, all are missing.
    private const string Upsert = """
        insert into fastllm.claims as c (key, scope, token, expires)
        select h.key, h.scope, h.token, clock_timestamp() + $4 from unnest($1, $2, $3) as h (key, scope, token)
        order by h.key, h.scope
        on conflict (key, scope) do update set expires = excluded.expires where c.token = excluded.token
        returning token
        """;

    // Those of machines that have died, for keys that no other machine has asked for since.
    private const string Sweep = """
        delete from fastllm.claims where ctid = any (array (
            select ctid from fastllm.claims where expires < clock_timestamp() - interval '1 minute'
            limit 10000 for update skip locked))
        """;

    private static readonly TimeSpan s_betweenSweeps = TimeSpan.FromMinutes(1);

    private readonly Outage _outage;
    private readonly PostgresCacheOptions _options;
    private readonly Action<HeldClaim> _release;
    private readonly Lock _lock = new();
    private readonly Dictionary<AnswerKey, HeldClaim> _held = [];
    private readonly TimeSpan _interval;
    private readonly ITimer _timer;
    private long? _swept;
    private int _isRenewing;

    /// <param name="outage">Runs commands.</param>
    /// <param name="options">The options of the cache.</param>
    /// <param name="release">Releases a claim in the database.</param>
    public HeldClaims(Outage outage, PostgresCacheOptions options, Action<HeldClaim> release)
    {
        _outage = outage;
        _options = options;
        _release = release;
        _interval = options.ClaimExpiry / 3;
        outage.Ended = () => Renew(TimeSpan.Zero);
        using (ExecutionContext.SuppressFlow())
        {
            _timer = options.TimeProvider.CreateTimer(
                static state => ((HeldClaims)state!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Adds a claim that was made.</summary>
    public HeldClaim Add(AnswerKey key, long token, long since)
    {
        var claim = new HeldClaim(this, key, token, since);
        lock (_lock)
        {
            _held[key] = claim;
            if (_held.Count == 1)
            {
                _timer.Change(_interval, _interval);
            }
        }

        return claim;
    }

    /// <summary>Returns the claim of a key, if this cache holds it.</summary>
    public HeldClaim? Of(AnswerKey key)
    {
        lock (_lock)
        {
            return _held.GetValueOrDefault(key);
        }
    }

    /// <summary>Removes a claim that has ended.</summary>
    /// <returns>Whether it was held.</returns>
    public bool Remove(HeldClaim claim)
    {
        lock (_lock)
        {
            return _held.TryGetValue(claim.Key, out HeldClaim? held) && held == claim && _held.Remove(claim.Key);
        }
    }

    /// <summary>Releases a claim, unless it has ended.</summary>
    public void Release(HeldClaim claim)
    {
        if (Remove(claim))
        {
            _release(claim);
        }
    }

    /// <summary>Releases all claims: their requests are not sent any more.</summary>
    public void ReleaseAll() => Array.ForEach(Held(), Release);

    /// <summary>Returns whether a claim may have expired that was made or renewed after a timestamp.</summary>
    public bool IsExpired(long since) => _options.TimeProvider.GetElapsedTime(since) >= _options.ClaimExpiry;

    /// <summary>Stops renewing.</summary>
    public void Dispose() => _timer.Dispose();

    private HeldClaim[] Held()
    {
        lock (_lock)
        {
            return [.. _held.Values];
        }
    }

    private void Tick()
    {
        lock (_lock)
        {
            if (_held.Count == 0)
            {
                _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                return;
            }
        }

        Renew(_interval / 2);
    }

    private void Renew(TimeSpan age)
    {
        if (Interlocked.Exchange(ref _isRenewing, 1) == 0)
        {
            _ = RenewAsync(age);
        }
    }

    private async Task RenewAsync(TimeSpan age)
    {
        try
        {
            HeldClaim[] due = [.. Held().Where(claim => !claim.IsTaken && IsOlder(claim, age))];
            if (due.Length > 0)
            {
                long now = _options.TimeProvider.GetTimestamp();
                HashSet<long> renewed = await _outage.TryAsync(connection => RenewAsync(connection, due)).ConfigureAwait(false);
                foreach (HeldClaim claim in due)
                {
                    Note(claim, renewed.Contains(claim.Token), now);
                }
            }

            if (_swept is not { } swept || _options.TimeProvider.GetElapsedTime(swept) >= s_betweenSweeps)
            {
                _swept = _options.TimeProvider.GetTimestamp();
                await _outage.TryAsync(SweepAsync).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException or ObjectDisposedException)
        {
            // Tried again in a moment. Look-ups and puts report the cause.
        }
        finally
        {
            Volatile.Write(ref _isRenewing, 0);
        }
    }

    private void Note(HeldClaim claim, bool isRenewed, long now)
    {
        if (!isRenewed)
        {
            claim.Lose();
            return;
        }

        claim.Renew(now);
        if (Of(claim.Key) != claim)
        {
            // It has ended meanwhile, and may have been made again.
            _release(claim);
        }
    }

    private bool IsOlder(HeldClaim claim, TimeSpan age) => _options.TimeProvider.GetElapsedTime(claim.ValidSince) >= age;

    private async Task<HashSet<long>> RenewAsync(NpgsqlConnection connection, HeldClaim[] claims)
    {
        await using NpgsqlCommand command = new(Upsert, connection);
        command.Parameters.Keys(Array.ConvertAll(claims, claim => claim.Key.RequestBytes()))
            .Numbers(Array.ConvertAll(claims, claim => claim.Key.Scope!.Value))
            .Numbers(Array.ConvertAll(claims, claim => claim.Token))
            .With(_options.ClaimExpiry, NpgsqlDbType.Interval);
        HashSet<long> renewed = [];
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
        while (await reader.ReadAsync().ConfigureAwait(false))
        {
            renewed.Add(reader.GetInt64(0));
        }

        return renewed;
    }

    private static async Task<int> SweepAsync(NpgsqlConnection connection)
    {
        await using NpgsqlCommand command = new(Sweep, connection);
        return await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }
}
