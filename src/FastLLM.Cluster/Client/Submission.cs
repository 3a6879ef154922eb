using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Budgets;
using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Store;
using FastLLM.Jobs.Planning;
using Npgsql;
using NpgsqlTypes;

namespace FastLLM.Cluster.Client;

/// <summary>Submits rows: writes them to the store in one transaction, so that a job is there as a whole or not at all, and publishes
/// their chunks.</summary>
internal sealed class Submission(ClusterStore store, BrokerAddress broker, string clusterId, Action<string> say)
{
    private readonly ChunkStore _chunks = new(store);

    /// <summary>Gets or sets what the rows had cost before they were submitted. It counts against the budget.</summary>
    public decimal EarlierCost { get; set; }

    /// <summary>Submits a job, unless it is there already.</summary>
    /// <param name="id">The id of the job.</param>
    /// <param name="name">The name of the job, for people.</param>
    /// <param name="spec">What the job says.</param>
    /// <param name="rows">The rows. Each needs to be valid only until the next one is read.</param>
    /// <param name="cancellationToken">Cancels the submission; then there is no job.</param>
    /// <returns>The number of rows; <see langword="null"/> if the job is there already.</returns>
    public async Task<long?> SubmitAsync(
        string id, string name, JobSpec spec, IAsyncEnumerable<PlannedRow> rows, CancellationToken cancellationToken)
    {
        long count;
        await using (NpgsqlConnection connection = await store.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false))
        {
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            if (!await InsertAsync(connection, id, name, spec, cancellationToken).ConfigureAwait(false))
            {
                return null;
            }

            if (spec.Sending.Budget is { } budget)
            {
                await BudgetStore.SetAsync(connection, id, budget, EarlierCost, cancellationToken).ConfigureAwait(false);
            }

            (count, int chunks) = await CopyAsync(connection, id, rows, cancellationToken).ConfigureAwait(false);
            if (count == 0)
            {
                return 0; // rolled back
            }

            await using var counted = new NpgsqlCommand("update fastllm.jobs set rows = $2, chunks = $3 where id = $1", connection)
            {
                Parameters = { new() { Value = id }, new() { Value = count }, new() { Value = chunks } },
            };
            await counted.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        await PublishAsync(id, cancellationToken).ConfigureAwait(false);
        return count;
    }

    /// <summary>Publishes the chunks of a job that wait for a worker.</summary>
    /// <remarks>Without the broker, workers publish them as soon as it is back.</remarks>
    public async Task PublishAsync(string job, CancellationToken cancellationToken)
    {
        IReadOnlyList<ChunkId> waiting = await _chunks.ListWaitingAsync(job, int.MaxValue, cancellationToken).ConfigureAwait(false);
        try
        {
            await using BrokerSession session =
                await BrokerSession.OpenAsync(broker, clusterId, "fastllm submit", cancellationToken).ConfigureAwait(false);
            await session.PublishAsync(waiting, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (BrokerFault.IsAway(e) && !cancellationToken.IsCancellationRequested)
        {
            say($"{BrokerFault.MessageOf(e, broker)} The rows are in the store; workers take them as soon as the broker is back.");
        }
    }

    private static async Task<bool> InsertAsync(
        NpgsqlConnection connection, string id, string name, JobSpec spec, CancellationToken cancellationToken)
    {
        await using var insert = new NpgsqlCommand(
            "insert into fastllm.jobs (id, name, options) values ($1, $2, $3::jsonb) on conflict (id) do nothing", connection)
        {
            Parameters = { new() { Value = id }, new() { Value = name }, new() { Value = spec.ToJson() } },
        };
        return await insert.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) > 0;
    }

    private static async Task<(long Rows, int Chunks)> CopyAsync(
        NpgsqlConnection connection, string id, IAsyncEnumerable<PlannedRow> rows, CancellationToken cancellationToken)
    {
        await using NpgsqlBinaryImporter copy = await connection.BeginBinaryImportAsync(
            "copy fastllm.chunks (job, number, rows, input) from stdin (format binary)", cancellationToken).ConfigureAwait(false);
        var chunk = new ChunkWriter();
        (long count, int chunks) = (0, 0);
        await foreach (PlannedRow row in rows.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (chunk.IsFullFor(row))
            {
                await WriteAsync().ConfigureAwait(false);
            }

            chunk.Add(row);
            count++;
        }

        if (chunk.Rows > 0)
        {
            await WriteAsync().ConfigureAwait(false);
        }

        await copy.CompleteAsync(cancellationToken).ConfigureAwait(false);
        return (count, chunks);

        async Task WriteAsync()
        {
            int size = chunk.Rows;
            await copy.StartRowAsync(cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(id, NpgsqlDbType.Text, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(chunks++, NpgsqlDbType.Integer, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(size, NpgsqlDbType.Integer, cancellationToken).ConfigureAwait(false);
            await copy.WriteAsync(chunk.Take(), NpgsqlDbType.Bytea, cancellationToken).ConfigureAwait(false);
        }
    }
}
