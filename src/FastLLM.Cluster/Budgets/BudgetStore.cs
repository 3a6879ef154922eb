using System.Data;
using FastLLM.Cluster.Store;
using Npgsql;

namespace FastLLM.Cluster.Budgets;

/// <summary>Keeps the budgets of jobs in the database. Safe for concurrent use.</summary>
internal sealed class BudgetStore(ClusterStore store)
{
    // Without a report for so long, a worker is taken for lost: what it has borrowed may have been paid.
    private const string Reports = "seen > clock_timestamp() - interval '10 seconds'";

    private const string ReadBudget = """
        select budget, earlier, coalesce(short_until > clock_timestamp(), false) from fastllm.budgets where job = $1 for no key update
        """;

    private const string ReadTranches = $"""
        select
            coalesce(sum(lent) filter (where id <> $2), 0),
            coalesce(sum(case when {Reports} then paid else lent end) filter (where id <> $2), 0),
            coalesce(sum(lent - paid) filter (where id <> $2 and not {Reports}), 0),
            count(*) filter (where id <> $2 and {Reports} and lent > paid),
            coalesce(max(serial) filter (where id = $2), 0)
        from fastllm.tranches where job = $1
        """;

    private const string Write = "update fastllm.tranches set serial = $2, lent = $3, paid = $4, seen = clock_timestamp() where id = $1";

    private const string NoteShort = "update fastllm.budgets set short_until = clock_timestamp() + interval '3 seconds' where job = $1";

    /// <summary>Determines whether a job has stopped because its budget is used up.</summary>
    public static bool IsUsedUp(string? reason) => reason?.StartsWith("The budget of $", StringComparison.Ordinal) == true;

    /// <summary>Sets the budget of a job, also of one that has a budget: it continues with the new one.</summary>
    /// <param name="connection">The connection, with its transaction.</param>
    /// <param name="job">The job.</param>
    /// <param name="budget">The budget in US dollars.</param>
    /// <param name="earlier">What its rows had cost before they came to the cluster; ignored if the job has a budget.</param>
    /// <param name="cancellationToken">Cancels the command.</param>
    /// <returns>Whether there is such a job.</returns>
    public static async Task<bool> SetAsync(
        NpgsqlConnection connection, string job, decimal budget, decimal earlier, CancellationToken cancellationToken)
    {
        const string sql = """
            insert into fastllm.budgets (job, budget, earlier) select id, $2, $3 + cost from fastllm.jobs where id = $1
            on conflict (job) do update set budget = excluded.budget, short_until = null
            """;
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddValues(job, budget, earlier);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) > 0;
    }

    /// <inheritdoc cref="SetAsync(NpgsqlConnection, string, decimal, decimal, CancellationToken)"/>
    public async Task<bool> SetAsync(string job, decimal budget, decimal earlier, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await store.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        return await SetAsync(connection, job, budget, earlier, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lets a worker borrow from the budget of a job.</summary>
    /// <returns>The id of its loan, with the budget; <see langword="null"/> if the job has none.</returns>
    public async Task<(long Tranche, decimal Budget)?> OpenAsync(string job, string worker, CancellationToken cancellationToken)
    {
        const string sql = """
            with opened as (insert into fastllm.tranches (job, worker) select job, $2 from fastllm.budgets where job = $1 returning id)
            select opened.id, budgets.budget from opened, fastllm.budgets where budgets.job = $1
            """;
        await using NpgsqlCommand command = store.Command(sql, job, worker);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? (reader.GetInt64(0), reader.GetDecimal(1)) : null;
    }

    /// <summary>Takes a report and decides what is lent, in one short transaction.</summary>
    /// <exception cref="InvalidOperationException">The job is gone, or a later report of the worker has been taken.</exception>
    public async Task<BudgetReply> ExchangeAsync(string job, long tranche, BudgetReport report, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await store.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using NpgsqlTransaction transaction =
            await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);
        BudgetState state = await ReadAsync(connection, job, tranche, report.Serial, cancellationToken).ConfigureAwait(false);
        BudgetGrant grant = BudgetPolicy.Grant(state, report);
        await using (var batch = new NpgsqlBatch(connection, transaction))
        {
            batch.Add(Write, tranche, report.Serial, grant.Lent, report.Paid);
            if (grant.IsLeftShort)
            {
                batch.Add(NoteShort, job);
            }

            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return new BudgetReply(state, grant);
    }

    /// <summary>Reads the budget of a job; <see langword="null"/> if it has none.</summary>
    public async Task<BudgetStatus?> FindAsync(string job, CancellationToken cancellationToken)
    {
        const string sql = $"""
            select budget, earlier + coalesce(sum(paid), 0), coalesce(sum(lent - paid) filter (where not {Reports}), 0),
                coalesce(sum(lent - paid) filter (where {Reports}), 0)
            from fastllm.budgets left join fastllm.tranches using (job) where job = $1 group by budget, earlier
            """;
        await using NpgsqlCommand command = store.Command(sql, job);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new BudgetStatus(reader.GetDecimal(0), reader.GetDecimal(1), reader.GetDecimal(2), reader.GetDecimal(3))
            : null;
    }

    private static async Task<BudgetState> ReadAsync(
        NpgsqlConnection connection, string job, long tranche, long serial, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection);
        batch.AddTransactionLimits();
        batch.Add(ReadBudget, job);
        batch.Add(ReadTranches, job, tranche); // sees what was committed before the lock was taken
        await using NpgsqlDataReader reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            throw new InvalidOperationException($"The job {job} is gone.");
        }

        (decimal budget, decimal earlier, bool isShort) = (reader.GetDecimal(0), reader.GetDecimal(1), reader.GetBoolean(2));
        await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        if (reader.GetInt64(4) >= serial)
        {
            throw new InvalidOperationException($"The report {serial} on the budget of the job {job} comes after a later one.");
        }

        return new BudgetState(
            budget,
            earlier + reader.GetDecimal(0),
            earlier + reader.GetDecimal(1) - reader.GetDecimal(2),
            reader.GetDecimal(2),
            (int)reader.GetInt64(3) + 1,
            isShort);
    }
}
