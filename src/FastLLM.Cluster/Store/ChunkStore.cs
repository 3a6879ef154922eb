using FastLLM.Cluster.Chunks;
using Npgsql;

namespace FastLLM.Cluster.Store;

/// <summary>Takes, completes and returns chunks. Every method is safe to repeat.</summary>
internal sealed class ChunkStore(ClusterStore store)
{
    /// <summary>Takes a chunk that waits, if its job is running.</summary>
    /// <returns>The chunk; <see langword="null"/> if there is nothing to do for the worker.</returns>
    public async Task<TakenChunk?> TakeAsync(ChunkId id, string worker, CancellationToken cancellationToken)
    {
        // "worker = $3": the answer to an earlier try was lost.
        await using NpgsqlCommand command = store.Command(
            """
            update fastllm.chunks c set state = 1, worker = $3, token = token + 1
            from fastllm.jobs j
            where c.job = $1 and c.number = $2 and j.id = c.job and j.state = 'running'
                and (c.state = 0 or (c.state = 1 and c.worker = $3))
            returning c.token, c.crashes, c.input
            """,
            id.Job, id.Number, worker);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new TakenChunk(id, reader.GetInt64(0), reader.GetInt16(1), reader.GetFieldValue<byte[]>(2))
            : null;
    }

    /// <summary>Writes the output of a chunk and raises the counts of its job, in one transaction, unless another worker has taken the
    /// chunk since.</summary>
    /// <returns>Whether the output is written, by this call or an earlier one.</returns>
    public async Task<bool> CompleteAsync(TakenChunk chunk, byte[] output, ChunkCounts counts, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            """
            with completed as (
                update fastllm.chunks set state = 2, output = $4, worker = null
                where job = $1 and number = $2 and token = $3 and state < 2
                returning job)
            update fastllm.jobs j set
                chunks_done = chunks_done + 1, answered = answered + $5, failed = failed + $6, cached = cached + $7, shared = shared + $8,
                sends = sends + $9, prompt_tokens = prompt_tokens + $10, completion_tokens = completion_tokens + $11, cost = cost + $12,
                finished = case when chunks_done + 1 = chunks then now() else finished end,
                state = case when chunks_done + 1 = chunks then 'done' else state end,
                reason = case when chunks_done + 1 = chunks then null else reason end
            from completed where j.id = completed.job
            """,
            chunk.Id.Job, chunk.Id.Number, chunk.Token, output, counts.Answered, counts.Failed, counts.Cached, counts.Shared,
            counts.Sends, counts.PromptTokens, counts.CompletionTokens, counts.Cost);
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) > 0
            || await IsCompletedAsync(chunk, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives chunks back that were not completed, so that others can take them.</summary>
    /// <returns>The number of chunks that were the worker's.</returns>
    public async Task<int> ReleaseAsync(IReadOnlyCollection<TakenChunk> chunks, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            """
            update fastllm.chunks c set state = 0, worker = null
            from unnest($1, $2, $3) as mine (job, number, token)
            where c.job = mine.job and c.number = mine.number and c.token = mine.token and c.state = 1
            """,
            chunks.Select(chunk => chunk.Id.Job).ToArray(),
            chunks.Select(chunk => chunk.Id.Number).ToArray(),
            chunks.Select(chunk => chunk.Token).ToArray());
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Returns the numbers of the chunks of a job that are done, in order.</summary>
    /// <param name="job">The job.</param>
    /// <param name="from">The first number of interest.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public async Task<IReadOnlyList<int>> ListDoneAsync(string job, int from, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            "select number from fastllm.chunks where job = $1 and number >= $2 and state = 2 order by number", job, from);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        List<int> numbers = [];
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            numbers.Add(reader.GetInt32(0));
        }

        return numbers;
    }

    /// <summary>Reads the output of a chunk that is done.</summary>
    /// <returns>The packed lines; <see langword="null"/> if the chunk is not done.</returns>
    public async Task<byte[]?> ReadOutputAsync(ChunkId id, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            "select output from fastllm.chunks where job = $1 and number = $2 and state = 2", id.Job, id.Number);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as byte[];
    }

    /// <summary>Returns chunks of running jobs that wait for a worker.</summary>
    /// <param name="job">The job; <see langword="null"/> for all.</param>
    /// <param name="limit">The maximum number of chunks.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    public async Task<IReadOnlyList<ChunkId>> ListWaitingAsync(string? job, int limit, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            """
            select c.job, c.number from fastllm.chunks c join fastllm.jobs j on j.id = c.job
            where c.state = 0 and j.state = 'running' and ($1::text is null or c.job = $1) order by c.job, c.number limit $2
            """,
            job, limit);
        if (job is null)
        {
            command.Parameters[0].NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Text;
        }

        return await ReadIdsAsync(command, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads the chunk ids that a command returns.</summary>
    public static async Task<IReadOnlyList<ChunkId>> ReadIdsAsync(NpgsqlCommand command, CancellationToken cancellationToken)
    {
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        List<ChunkId> chunks = [];
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            chunks.Add(new ChunkId(reader.GetString(0), reader.GetInt32(1)));
        }

        return chunks;
    }

    // The connection may have broken after the commit.
    private async Task<bool> IsCompletedAsync(TakenChunk chunk, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = store.Command(
            "select true from fastllm.chunks where job = $1 and number = $2 and token = $3 and state = 2",
            chunk.Id.Job, chunk.Id.Number, chunk.Token);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }
}
