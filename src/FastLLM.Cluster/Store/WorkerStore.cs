using Npgsql;

namespace FastLLM.Cluster.Store;

/// <summary>Represents what a worker reports of itself.</summary>
internal sealed record WorkerReport(string? Job, int InFlight, long Rows, double RowsPerSecond, string? Bottleneck);

/// <summary>Represents a worker that is alive.</summary>
internal sealed record LiveWorker(string Id, DateTime Started, WorkerReport Report, int Chunks);

/// <summary>Represents a chunk that a worker holds, as the store has it.</summary>
internal readonly record struct HeldChunk(ChunkId Id, long Token, string JobState);

/// <summary>Keeps the leases of workers, and finds what workers that ended have left.</summary>
internal sealed class WorkerStore(ClusterStore store)
{
    /// <summary>How long a worker that does not report is alive. Then others take its chunks.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(6);

    private const long SweepLock = 0x6661737473776570; // "fastswep"

    /// <summary>Renews the lease of a worker.</summary>
    /// <returns>The chunks that it holds.</returns>
    public async Task<IReadOnlyList<HeldChunk>> RenewAsync(string worker, WorkerReport report, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            """
            with renewed as (
                insert into fastllm.workers as w (id, lease_until, job, in_flight, rows, rows_per_second, bottleneck)
                values ($1, clock_timestamp() + $2, nullif($3, ''), $4, $5, $6, nullif($7, ''))
                on conflict (id) do update set lease_until = excluded.lease_until, job = excluded.job, in_flight = excluded.in_flight,
                    rows = excluded.rows, rows_per_second = excluded.rows_per_second, bottleneck = excluded.bottleneck)
            select c.job, c.number, c.token, j.state from fastllm.chunks c join fastllm.jobs j on j.id = c.job
            where c.worker = $1 and c.state = 1
            """,
            worker, Lease, report.Job ?? "", report.InFlight, report.Rows, report.RowsPerSecond, report.Bottleneck ?? "");
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        List<HeldChunk> held = [];
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            held.Add(new HeldChunk(new ChunkId(reader.GetString(0), reader.GetInt32(1)), reader.GetInt64(2), reader.GetString(3)));
        }

        return held;
    }

    /// <summary>Removes a worker that ends.</summary>
    public async Task RemoveAsync(string worker, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command("delete from fastllm.workers where id = $1", worker);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes the chunks from workers whose lease has ended. One worker at a time does it.</summary>
    /// <returns>The chunks, which wait again.</returns>
    public async Task<IReadOnlyList<ChunkId>> TakeFromEndedAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            $"""
            with mine as materialized (select pg_try_advisory_xact_lock({SweepLock}) as is_locked),
            forgotten as (
                delete from fastllm.workers where lease_until < now() - interval '1 hour' and (select is_locked from mine))
            update fastllm.chunks c set state = 0, worker = null, crashes = least(crashes + 1, 1000)
            where c.state = 1 and (select is_locked from mine)
                and not exists (select from fastllm.workers w where w.id = c.worker and w.lease_until > now())
            returning c.job, c.number
            """);
        return await ChunkStore.ReadIdsAsync(command, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Counts a chunk as one that no worker survives.</summary>
    public async Task MarkPoisonedAsync(ChunkId id, int crashes, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            "update fastllm.chunks set crashes = greatest(crashes, $3) where job = $1 and number = $2 and state = 0",
            id.Job, id.Number, (short)crashes);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gets the workers that are alive.</summary>
    public async Task<IReadOnlyList<LiveWorker>> ListAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            """
            select w.id, w.started, w.job, w.in_flight, w.rows, w.rows_per_second, w.bottleneck,
                (select count(*)::integer from fastllm.chunks c where c.worker = w.id and c.state = 1)
            from fastllm.workers w where w.lease_until > now() order by w.id
            """);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        List<LiveWorker> workers = [];
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            var report = new WorkerReport(
                reader.IsDBNull(2) ? null : reader.GetString(2), reader.GetInt32(3), reader.GetInt64(4), reader.GetDouble(5),
                reader.IsDBNull(6) ? null : reader.GetString(6));
            workers.Add(new LiveWorker(reader.GetString(0), reader.GetDateTime(1), report, reader.GetInt32(7)));
        }

        return workers;
    }
}
