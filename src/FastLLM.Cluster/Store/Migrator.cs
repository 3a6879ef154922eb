using Npgsql;

namespace FastLLM.Cluster.Store;

/// <summary>Brings the schema of the database up to date: one step at a time, each in a transaction of its own, by one client at a
/// time.</summary>
internal sealed class Migrator(NpgsqlDataSource source)
{
    private const long LockId = 0x666173746C6C6D; // "fastllm"

    /// <summary>Applies the steps that are missing.</summary>
    /// <returns>The number of applied steps.</returns>
    /// <exception cref="InvalidDataException">The database has steps that this version does not know.</exception>
    public async Task<int> ApplyAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, $"select pg_advisory_lock({LockId})", cancellationToken).ConfigureAwait(false);
        try
        {
            HashSet<int> applied = await ReadAppliedAsync(connection, cancellationToken).ConfigureAwait(false);
            RefuseNewer(applied);
            Migration[] missing = [.. Migration.All.Where(step => !applied.Contains(step.Number))];
            foreach (Migration step in missing)
            {
                await ApplyAsync(connection, step, cancellationToken).ConfigureAwait(false);
            }

            return missing.Length;
        }
        finally
        {
            await ExecuteAsync(connection, $"select pg_advisory_unlock({LockId})", CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>Checks that the database has exactly the steps of this version.</summary>
    /// <exception cref="InvalidDataException">It has fewer or more.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        HashSet<int> applied = await ReadAppliedAsync(connection, cancellationToken).ConfigureAwait(false);
        RefuseNewer(applied);
        if (!Migration.All.All(step => applied.Contains(step.Number)))
        {
            throw new InvalidDataException(applied.Count == 0
                ? "The database has no tables of FastLLM. Run this first: fastllm cluster init"
                : "The database was made by an earlier version of FastLLM. Bring it up to date: fastllm cluster init");
        }
    }

    private static void RefuseNewer(HashSet<int> applied)
    {
        if (applied.Except(Migration.All.Select(step => step.Number)).ToArray() is [_, ..])
        {
            throw new InvalidDataException(
                "The database was made by a newer version of FastLLM, which this one would damage. Install that version on this machine.");
        }
    }

    private static async Task<HashSet<int>> ReadAppliedAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var exists = new NpgsqlCommand("select to_regclass('fastllm.migrations') is not null", connection);
        if (await exists.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not true)
        {
            return [];
        }

        HashSet<int> applied = [];
        await using var command = new NpgsqlCommand("select number from fastllm.migrations", connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            applied.Add(reader.GetInt32(0));
        }

        return applied;
    }

    private static async Task ApplyAsync(NpgsqlConnection connection, Migration step, CancellationToken cancellationToken)
    {
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        const string table = """
            create schema if not exists fastllm;
            create table if not exists fastllm.migrations (
                number integer primary key, name text not null, applied timestamptz not null default now());
            """;
        await ExecuteAsync(connection, table, cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, step.Sql, cancellationToken).ConfigureAwait(false);
        await using var note = new NpgsqlCommand("insert into fastllm.migrations (number, name) values ($1, $2)", connection)
        {
            Parameters = { new NpgsqlParameter { Value = step.Number }, new NpgsqlParameter { Value = step.Name } },
        };
        await note.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
