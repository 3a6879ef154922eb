using Npgsql;
using NpgsqlTypes;

namespace FastLLM.Cluster.Caching;

/// <summary>Executes groups of look-ups in one round trip: claims that are released first, then the rows that are there, and claims of
/// those that are not.</summary>
internal sealed class AnswerReader(Outage outage, PostgresCacheOptions options)
{
    private const string Release = """
        with released as (
            select c.* from fastllm.claims c
            join unnest($1, $2, $3) as r (key, scope, token) on c.key = r.key and c.scope = r.scope and c.token = r.token
            order by c.key, c.scope for update of c)
        delete from fastllm.claims c using released r where c.key = r.key and c.scope = r.scope and c.token = r.token
        """;

    private const string Asked = """
        asked as (
            select * from unnest($1, $2, $3, $4) with ordinality as a (key, scope, replaced, token, number))
        """;

    // With both columns of the primary key and a limit in a lateral join, the planner uses the index for each key, even if it knows
    // nothing about the table yet.
    private const string Row = $"""
        cross join lateral (select {Columns} from fastllm.answers n where n.key = a.key and n.scope = a.scope and {Wanted} limit 1) n
        """;

    private const string Columns = "stored, created, status, endpoint, model, digest, body";

    private const string Wanted = "n.stored is distinct from a.replaced and n.created >= $5";

    private const string Find = $"""
        with {Asked}
        select a.number, false, clock_timestamp(), n.* from asked a {Row}
        """;

    private const string FindInAnyScope = $"""
        with {Asked}
        select a.number, false, clock_timestamp(), n.* from asked a
        cross join lateral (select {Columns} from fastllm.answers n where a.scope is null and n.key = a.key and {Wanted} limit 1) n
        """;

    // Keys whose claim is visibly valid are not touched: that would wait for the transaction that ends it.
    private const string FindOrClaim = $"""
        with {Asked},
        found as materialized (select a.number, n.* from asked a {Row}),
        claimed as (
            insert into fastllm.claims as c (key, scope, token, expires)
            select a.key, a.scope, a.token, clock_timestamp() + $6 from asked a
            where a.token <> 0 and not exists (select from found f where f.number = a.number)
                and not exists (
                    select from fastllm.claims o where o.key = a.key and o.scope = a.scope and o.token <> a.token
                        and (o.expires >= clock_timestamp() or not $7))
            order by a.key, a.scope
            on conflict (key, scope) do update set token = excluded.token, expires = excluded.expires
                where c.token = excluded.token or (c.expires < clock_timestamp() and $7)
            returning token)
        select f.number, false, clock_timestamp(),
            f.stored, f.created, f.status, f.endpoint, f.model, f.digest, f.body from found f
        union all
        select a.number, true, clock_timestamp(), null, null, null, null, null, null, null from asked a join claimed c on c.token = a.token
        """;

    // Between the snapshot of the first statement and its claim, another machine may have put its answer and ended its claim.
    private const string FindClaimed = $"""
        with {Asked}
        select a.number, false, clock_timestamp(), n.* from asked a
        cross join lateral (
            select from fastllm.claims c where c.key = a.key and c.scope = a.scope and c.token = a.token and a.token <> 0 limit 1) c
        {Row}
        """;

    public async Task ExecuteAsync(IReadOnlyList<Lookup> group)
    {
        List<Lookup> releases = [], lookups = [];
        HashSet<AnswerKey>? claims = null;
        foreach (Lookup item in group)
        {
            if (item.Kind == LookupKind.Release)
            {
                releases.Add(item);
            }
            else if (item.Kind != LookupKind.Claim || (claims ??= []).Add(item.Key))
            {
                lookups.Add(item);
            }
            else
            {
                // One statement cannot claim a key twice. For the second, it is taken.
                item.TrySetResult(default);
            }
        }

        LookupResult[] results = await outage.RunAsync(connection => ExecuteAsync(connection, releases, lookups)).ConfigureAwait(false);
        for (var i = 0; i < results.Length; i++)
        {
            lookups[i].TrySetResult(results[i]);
        }

        releases.ForEach(static release => release.TrySetResult(default));
    }

    private async Task<LookupResult[]> ExecuteAsync(NpgsqlConnection connection, List<Lookup> releases, List<Lookup> lookups)
    {
        long started = options.TimeProvider.GetTimestamp();
        await using NpgsqlBatch batch = new(connection);
        if (releases.Count > 0)
        {
            NpgsqlBatchCommand release = new(Release);
            release.Parameters.Keys([.. releases.Select(item => item.RequestBytes)])
                .Numbers(releases.Select(item => item.Key.Scope!.Value).ToArray())
                .Numbers(releases.Select(item => item.Token).ToArray());
            batch.BatchCommands.Add(release);
        }

        if (lookups.Count > 0)
        {
            bool mayTakeOver = outage.MayTakeOver;
            GroupArrays arrays = ArraysOf(lookups, mayTakeOver);
            bool claims = lookups.Exists(item => item.Token != 0);
            batch.BatchCommands.Add(claims ? Claim(arrays, mayTakeOver) : Command(Find, arrays));
            if (claims)
            {
                batch.BatchCommands.Add(Command(FindClaimed, arrays));
            }

            if (lookups.Exists(item => item.Key.Scope is null))
            {
                batch.BatchCommands.Add(Command(FindInAnyScope, arrays));
            }
        }

        var results = new LookupResult[lookups.Count];
        await using NpgsqlDataReader reader = await batch.ExecuteReaderAsync().ConfigureAwait(false);
        do
        {
            while (await reader.ReadAsync().ConfigureAwait(false))
            {
                ref LookupResult result = ref results[reader.GetInt64(0) - 1];
                result = reader.GetBoolean(1) ? result with { ClaimedSince = started } : result with { Row = Read(reader) };
            }
        }
        while (await reader.NextResultAsync().ConfigureAwait(false));

        return results;
    }

    private GroupArrays ArraysOf(List<Lookup> lookups, bool mayTakeOver)
    {
        int count = lookups.Count;
        var arrays = new GroupArrays(
            new byte[count][], new long?[count], new DateTime?[count], new long[count],
            options.Ttl is { } ttl ? (options.TimeProvider.GetUtcNow() - ttl).ToUnixTimeMilliseconds() : long.MinValue);
        for (var i = 0; i < count; i++)
        {
            Lookup item = lookups[i];
            arrays.Keys[i] = item.RequestBytes;
            arrays.Scopes[i] = item.Key.Scope;
            arrays.Replaced[i] = item.Replaced == 0 ? null : new DateTime(item.Replaced, DateTimeKind.Utc);
            arrays.Tokens[i] = item.IsRepeated && !mayTakeOver ? 0 : item.Token;
        }

        return arrays;
    }

    private NpgsqlBatchCommand Claim(in GroupArrays arrays, bool mayTakeOver)
    {
        NpgsqlBatchCommand command = Command(FindOrClaim, arrays);
        command.Parameters.With(options.ClaimExpiry, NpgsqlDbType.Interval).With(mayTakeOver, NpgsqlDbType.Boolean);
        return command;
    }

    private static NpgsqlBatchCommand Command(string sql, in GroupArrays arrays)
    {
        NpgsqlBatchCommand command = new(sql);
        command.Parameters.Keys(arrays.Keys).Numbers(arrays.Scopes)
            .With(arrays.Replaced, NpgsqlDbType.Array | NpgsqlDbType.TimestampTz)
            .Numbers(arrays.Tokens).With(arrays.Oldest, NpgsqlDbType.Bigint);
        return command;
    }

    private AnswerRow Read(NpgsqlDataReader reader)
    {
        DateTime stored = reader.GetDateTime(3);
        TimeSpan age = reader.GetDateTime(2) - stored;
        return new AnswerRow(
            stored, reader.GetInt64(4), reader.GetInt32(5), reader.GetFieldValue<byte[]>(6), reader.GetString(7),
            reader.GetFieldValue<byte[]>(8), reader.GetFieldValue<byte[]>(9))
        {
            RecordedAt = options.TimeProvider.GetUtcNow() - age,
        };
    }

    // The columns of a group, as parameters of its commands.
    private readonly record struct GroupArrays(byte[][] Keys, long?[] Scopes, DateTime?[] Replaced, long[] Tokens, long Oldest);
}
