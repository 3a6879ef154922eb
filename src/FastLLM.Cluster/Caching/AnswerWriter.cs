using Npgsql;
using NpgsqlTypes;

namespace FastLLM.Cluster.Caching;

/// <summary>Puts groups of answers: one statement, one transaction, one flush to the disk each. Claims of the same keys end in the same
/// transaction.</summary>
internal sealed class AnswerWriter(Outage outage, HeldClaims claims)
{
    // Rows come sorted, and claims are locked in the same order: transactions that meet wait for each other, but not in a circle.
    private const string Put = """
        insert into fastllm.answers (key, scope, stored, created, status, endpoint, model, digest, body)
        select p.key, p.scope, clock_timestamp(), p.created, p.status, p.endpoint, p.model, p.digest, p.body
        from unnest($1, $2, $3, $4, $5, $6, $7, $8) as p (key, scope, created, status, endpoint, model, digest, body)
        on conflict (key, scope) do update set
            stored = excluded.stored, created = excluded.created, status = excluded.status,
            model = excluded.model, endpoint = excluded.endpoint, digest = excluded.digest, body = excluded.body
        """;

    private const string PutAndRelease = $"""
        with put as ({Put}),
        held as (
            select c.* from fastllm.claims c
            join unnest($9, $10, $11) as h (key, scope, token) on c.key = h.key and c.scope = h.scope and c.token = h.token
            order by c.key, c.scope for update of c)
        delete from fastllm.claims c using held h where c.key = h.key and c.scope = h.scope and c.token = h.token
        """;

    public Task ExecuteAsync(IReadOnlyList<PutItem> group) => group[0].Row is null ? ClearAsync(group[0]) : PutAsync(group);

    private async Task ClearAsync(PutItem item)
    {
        await outage.RunAsync(connection => ExecuteAsync(connection, "truncate fastllm.answers")).ConfigureAwait(false);
        item.TrySetResult();
    }

    private async Task PutAsync(IReadOnlyList<PutItem> group)
    {
        try
        {
            await WriteAsync(LatestOfEach(group)).ConfigureAwait(false);
            Complete(group);
        }
        catch (IOException e) when (e.InnerException is PostgresException && group.Count > 1)
        {
            // The database refuses one of them: the others must not suffer.
            foreach (PutItem item in group)
            {
                await PutAloneAsync(item).ConfigureAwait(false);
            }
        }
    }

    private async Task PutAloneAsync(PutItem item)
    {
        try
        {
            await WriteAsync([item]).ConfigureAwait(false);
            Complete([item]);
        }
        catch (IOException e)
        {
            item.Fail(e);
        }
    }

    private static void Complete(IReadOnlyList<PutItem> group)
    {
        foreach (PutItem item in group)
        {
            item.TrySetResult();
        }
    }

    private async Task WriteAsync(PutItem[] items)
    {
        HeldClaim[] held = [.. items.Select(item => claims.Of(item.Key)).OfType<HeldClaim>()];
        await outage.RunAsync(async connection =>
        {
            await using NpgsqlCommand command = new(held.Length == 0 ? Put : PutAndRelease, connection);
            command.Parameters.Keys(Array.ConvertAll(items, item => item.RequestBytes))
                .Numbers(Array.ConvertAll(items, item => item.Key.Scope!.Value))
                .Numbers(Array.ConvertAll(items, item => item.Row!.Created))
                .With(Array.ConvertAll(items, item => item.Row!.Status), NpgsqlDbType.Array | NpgsqlDbType.Integer)
                .Keys(Array.ConvertAll(items, item => item.Row!.Endpoint))
                .With(Array.ConvertAll(items, item => item.Row!.Model), NpgsqlDbType.Array | NpgsqlDbType.Text)
                .Keys(Array.ConvertAll(items, item => item.Row!.Digest))
                .Keys(Array.ConvertAll(items, item => item.Row!.Body));
            if (held.Length > 0)
            {
                command.Parameters.Keys(Array.ConvertAll(held, claim => claim.Key.RequestBytes()))
                    .Numbers(Array.ConvertAll(held, claim => claim.Key.Scope!.Value))
                    .Numbers(Array.ConvertAll(held, claim => claim.Token));
            }

            return await command.ExecuteNonQueryAsync().ConfigureAwait(false);
        }).ConfigureAwait(false);
        Array.ForEach(held, claim => claims.Remove(claim));
    }

    private static async Task<int> ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using NpgsqlCommand command = new(sql, connection);
        return await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    // One statement cannot change a row twice: of equal keys, the last one counts.
    private static PutItem[] LatestOfEach(IReadOnlyList<PutItem> group)
    {
        var latest = new Dictionary<AnswerKey, PutItem>(group.Count);
        foreach (PutItem item in group)
        {
            latest[item.Key] = item;
        }

        PutItem[] items = [.. latest.Values];
        Array.Sort(items, PutItem.Compare);
        return items;
    }
}
