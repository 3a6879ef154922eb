using System.Text.Json;
using FastLLM.Cluster.Store;
using FastLLM.RateLimiting;
using Npgsql;

namespace FastLLM.Cluster.Limits;

/// <summary>Keeps limits in PostgreSQL: locks the rows of the models, loads, decides, stores.</summary>
internal sealed class PostgresLimits(ClusterStore store) : ILimitStore
{
    // Grants are valid for three seconds: an answer that comes later is of no use.
    private const int TimeoutSeconds = 2;

    private const string Lock = """
        insert into fastllm.limits (endpoint, model, state)
            select * from unnest($1::text[], $2::text[], array_fill('{}'::text, array[cardinality($1)])) on conflict do nothing;
        """;

    private const string Load = """
        select endpoint, model, state from fastllm.limits
            where (endpoint, model) in (select * from unnest($1::text[], $2::text[]))
            order by endpoint, model for update;
        """;

    private const string LoadShares = """
        select endpoint, model, state from fastllm.limit_shares
            where (endpoint, model) in (select * from unnest($1::text[], $2::text[]));
        """;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ModelGrant>> ReportAsync(
        IReadOnlyList<MemberReport> reports, bool leaves, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await store.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        (Dictionary<(string, string), Entry> entries, double now) =
            await LoadAsync(connection, transaction, reports, cancellationToken).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection, transaction) { Timeout = TimeoutSeconds };
        var grants = new List<ModelGrant>(reports.Count);
        foreach (MemberReport report in reports)
        {
            (string Endpoint, string Model) key = (report.Endpoint, report.Report.Model);
            Entry entry = entries[key];
            Decision decision = LimitAllocator.Decide(entry.State, entry.Members, report.Member, report.Report, now, leaves);
            entry.Take(decision);
            grants.Add(decision.Grant);
            Store(batch, key, decision);
        }

        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return grants;
    }

    private static async Task<(Dictionary<(string, string), Entry> Entries, double Now)> LoadAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<MemberReport> reports,
        CancellationToken cancellationToken)
    {
        (string Endpoint, string Model)[] keys = [.. reports.Select(report => (report.Endpoint, report.Report.Model)).Distinct().Order()];
        string[] endpoints = [.. keys.Select(static key => key.Endpoint)];
        string[] models = [.. keys.Select(static key => key.Model)];
        await using var batch = new NpgsqlBatch(connection, transaction) { Timeout = TimeoutSeconds };
        batch.AddTransactionLimits();
        batch.Add(Lock, endpoints, models);
        batch.Add(Load, endpoints, models);

        // The clock is read once the rows are locked: so no decision is older than the one before.
        batch.Add("select extract(epoch from clock_timestamp())::float8");
        batch.Add(LoadShares, endpoints, models);
        var entries = new Dictionary<(string, string), Entry>();
        double now = 0;
        await using NpgsqlDataReader reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            LimitState state = JsonSerializer.Deserialize(reader.GetString(2), LimitJson.Default.LimitState)!;
            entries.Add((reader.GetString(0), reader.GetString(1)), new Entry(state));
        }

        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            now = reader.GetDouble(0);
        }

        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            Member member = JsonSerializer.Deserialize(reader.GetString(2), LimitJson.Default.Member)!;
            entries[(reader.GetString(0), reader.GetString(1))].Members.Add(member);
        }

        return (entries, now);
    }

    private static void Store(NpgsqlBatch batch, (string Endpoint, string Model) key, Decision decision)
    {
        batch.Add(
            "update fastllm.limits set state = $3 where endpoint = $1 and model = $2",
            key.Endpoint, key.Model, JsonSerializer.Serialize(decision.State, LimitJson.Default.LimitState));
        batch.Add(
            """
            insert into fastllm.limit_shares (endpoint, model, member, state) values ($1, $2, $3, $4)
                on conflict (endpoint, model, member) do update set state = excluded.state
            """,
            key.Endpoint, key.Model, decision.Member.Id, JsonSerializer.Serialize(decision.Member, LimitJson.Default.Member));
        if (decision.Forgotten.Count > 0)
        {
            batch.Add(
                "delete from fastllm.limit_shares where endpoint = $1 and model = $2 and member = any($3)",
                key.Endpoint, key.Model, decision.Forgotten.ToArray());
        }
    }

    private sealed class Entry(LimitState state)
    {
        public LimitState State { get; private set; } = state;

        public List<Member> Members { get; } = [];

        // A worker may have several members here: one for each job.
        public void Take(Decision decision)
        {
            State = decision.State;
            Members.RemoveAll(member => member.Id == decision.Member.Id || decision.Forgotten.Contains(member.Id));
            Members.Add(decision.Member);
        }
    }
}
