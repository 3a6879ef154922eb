using FastLLM.Cluster.Store;
using Npgsql;

namespace FastLLM;

/// <summary>Represents the PostgreSQL database that holds the truth of a cluster: jobs, rows, answers, limits and budgets.</summary>
/// <remarks>Safe for concurrent use. Owns its pool of connections. Every command has a timeout.</remarks>
public sealed class ClusterStore : IAsyncDisposable
{
    /// <summary>Creates a store. Connects when it is first used.</summary>
    /// <param name="connection">The connection string: an URL (<c>postgres://user@host/database</c>), or Npgsql's or libpq's
    /// <c>name=value</c> pairs. Without a password, <c>PGPASSWORD</c> and <c>~/.pgpass</c> are read.</param>
    /// <param name="time">The clock; <see langword="null"/> for the system clock.</param>
    /// <exception cref="ArgumentException">The connection string cannot be read.</exception>
    public ClusterStore(string connection, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        Time = time ?? TimeProvider.System;
        Source = new NpgsqlDataSourceBuilder(StoreAddress.ToConnectionString(connection)).Build();
    }

    /// <summary>Gets the pool of connections.</summary>
    internal NpgsqlDataSource Source { get; }

    /// <summary>Gets the clock.</summary>
    internal TimeProvider Time { get; }

    /// <summary>Creates the tables of the cluster, or brings them up to date. Safe to repeat, and to call from several machines at
    /// once.</summary>
    /// <param name="cancellationToken">Cancels the migration; what is not finished is rolled back.</param>
    /// <returns>The number of migrations that were applied.</returns>
    /// <exception cref="InvalidDataException">The database was made by a newer version.</exception>
    /// <exception cref="IOException">The database cannot be reached.</exception>
    public Task<int> InitializeAsync(CancellationToken cancellationToken = default) =>
        StoreFault.GuardAsync(() => new Migrator(Source).ApplyAsync(cancellationToken));

    /// <summary>Checks that the tables are those of this version.</summary>
    /// <exception cref="InvalidDataException">They are older or newer; the message says what to do.</exception>
    /// <exception cref="IOException">The database cannot be reached.</exception>
    internal Task CheckAsync(CancellationToken cancellationToken) =>
        StoreFault.GuardAsync(async () =>
        {
            await new Migrator(Source).CheckAsync(cancellationToken).ConfigureAwait(false);
            return 0;
        });

    /// <summary>Creates a command that runs on a connection of the pool.</summary>
    /// <param name="sql">The text, with the parameters <c>$1</c>, <c>$2</c> …</param>
    /// <param name="values">Their values.</param>
    internal NpgsqlCommand Command(string sql, params ReadOnlySpan<object?> values)
    {
        NpgsqlCommand command = Source.CreateCommand(sql);
        command.Parameters.AddValues(values);
        return command;
    }

    /// <summary>Closes the connections.</summary>
    public ValueTask DisposeAsync() => Source.DisposeAsync();
}
