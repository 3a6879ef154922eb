using FastLLM.Cluster.Chunks;
using Npgsql;

namespace FastLLM.Cluster.Store;

/// <summary>Reads and changes jobs.</summary>
internal sealed class JobStore(ClusterStore store)
{
    private const string Columns = """
        id, name, state, created, finished, rows, chunks, chunks_done, answered, failed, cached, shared, sends,
        prompt_tokens, completion_tokens, cost, reason
        """;

    /// <summary>Gets the id of the cluster, which names its queues.</summary>
    public async Task<string> ReadClusterIdAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command("select id from fastllm.cluster");
        return (string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Gets a job, or <see langword="null"/>.</summary>
    public async Task<ClusterJob?> FindAsync(string id, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command($"select {Columns} from fastllm.jobs where id = $1", id);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? Read(reader) : null;
    }

    /// <summary>Gets the latest jobs, the newest first.</summary>
    public async Task<IReadOnlyList<ClusterJob>> ListAsync(int limit, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command($"select {Columns} from fastllm.jobs order by created desc, id limit $1", limit);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        List<ClusterJob> jobs = [];
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            jobs.Add(Read(reader));
        }

        return jobs;
    }

    /// <summary>Gets what a worker must know of a job; <see langword="null"/> if there is no such job.</summary>
    public async Task<JobSpec?> ReadSpecAsync(string id, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command("select options::text from fastllm.jobs where id = $1", id);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is string json ? JobSpec.Read(json) : null;
    }

    /// <summary>Changes the state of a job, if it has one of some states.</summary>
    /// <returns>Whether it was changed.</returns>
    public async Task<bool> ChangeStateAsync(
        string id, string state, string[] from, string? reason, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            "update fastllm.jobs set state = $2, reason = $4 where id = $1 and state = any($3)", id, state, from, reason);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) > 0;
    }

    private static ClusterJob Read(NpgsqlDataReader reader) => new(
        reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.GetDateTime(3))
    {
        Finished = reader.IsDBNull(4) ? null : reader.GetDateTime(4),
        Rows = reader.GetInt64(5),
        Chunks = reader.GetInt32(6),
        ChunksDone = reader.GetInt32(7),
        Counts = new ChunkCounts(
            reader.GetInt64(8), reader.GetInt64(9), reader.GetInt64(10), reader.GetInt64(11), reader.GetInt64(12),
            reader.GetInt64(13), reader.GetInt64(14), reader.GetDecimal(15)),
        Reason = reader.IsDBNull(16) ? null : reader.GetString(16),
    };
}
