using System.Net.Sockets;
using Npgsql;

namespace FastLLM.Cluster.Store;

/// <summary>Decides what a failed command of the store means: wait and repeat it, or report it.</summary>
internal static class StoreFault
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(2);

    /// <summary>Determines whether the database is away: it is restarting, is not reachable, does not answer in time, or has no room on its
    /// disk or for a connection. The same command may succeed later.</summary>
    public static bool IsAway(Exception fault) => fault switch
    {
        PostgresException e => e.IsTransient || e.SqlState is
            PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow
            or PostgresErrorCodes.DiskFull or PostgresErrorCodes.TooManyConnections or PostgresErrorCodes.QueryCanceled
            or PostgresErrorCodes.ReadOnlySqlTransaction,
        NpgsqlException => true,
        SocketException or TimeoutException or EndOfStreamException => true,
        _ => false,
    };

    /// <summary>Runs a command again and again until the database executes it. The command must be safe to repeat.</summary>
    /// <param name="command">The command.</param>
    /// <param name="time">The clock.</param>
    /// <param name="onAway">Called after each try that found the database away.</param>
    /// <param name="cancellationToken">Ends the tries.</param>
    public static async Task<T> RepeatAsync<T>(
        Func<Task<T>> command, TimeProvider time, Action<Exception>? onAway, CancellationToken cancellationToken)
    {
        for (TimeSpan wait = s_shortest; ; wait = wait * 2 > s_longest ? s_longest : wait * 2)
        {
            try
            {
                return await command().ConfigureAwait(false);
            }
            catch (Exception e) when (IsAway(e) && !cancellationToken.IsCancellationRequested)
            {
                onAway?.Invoke(e);
                await Task.Delay(wait, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Runs a command whose result a user awaits: what the database reports becomes an exception with a clear message.</summary>
    /// <exception cref="IOException">The database cannot be reached, or refuses the command.</exception>
    public static async Task<T> GuardAsync<T>(Func<Task<T>> command)
    {
        try
        {
            return await command().ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException)
        {
            throw new IOException(MessageOf(e), e);
        }
    }

    private static string MessageOf(Exception fault) => fault switch
    {
        PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification } e =>
            $"PostgreSQL refuses the user: {e.MessageText}. Check the user of the store, and PGPASSWORD or ~/.pgpass.",
        PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName } e =>
            $"{e.MessageText}. Create it first (createdb), then run: fastllm cluster init",
        PostgresException { SqlState: PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName } =>
            "The database has no tables of FastLLM. Run this first: fastllm cluster init",
        PostgresException e => $"PostgreSQL: {e.MessageText} ({e.SqlState})",
        { InnerException: { } cause } => $"PostgreSQL cannot be reached: {fault.Message} ({cause.Message})", // the first has the address
        _ => $"PostgreSQL cannot be reached: {fault.Message}",
    };
}
