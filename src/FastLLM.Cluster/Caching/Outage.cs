using System.Globalization;
using FastLLM.Cluster.Store;
using Npgsql;

namespace FastLLM.Cluster.Caching;

/// <summary>Repeats commands while the database is away, for a limited time, and reports that once.</summary>
internal sealed class Outage(NpgsqlDataSource source, PostgresCacheOptions options)
{
    // After an outage, machines renew the claims that have expired meanwhile: no other may take them over before.
    private static readonly TimeSpan s_calm = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time = options.TimeProvider;
    private readonly Lock _lock = new();
    private long? _began;
    private long? _ended;
    private bool _isReported;

    /// <summary>Gets a value indicating whether expired claims of other machines may be taken over.</summary>
    public bool MayTakeOver
    {
        get
        {
            lock (_lock)
            {
                return _began is null && (_ended is not { } ended || _time.GetElapsedTime(ended) >= s_calm);
            }
        }
    }

    /// <summary>Runs a command until the database has executed it. It must be safe to repeat.</summary>
    /// <exception cref="IOException">The database was away for too long, or has refused the command.</exception>
    public async Task<T> RunAsync<T>(Func<NpgsqlConnection, Task<T>> command)
    {
        for (TimeSpan wait = TimeSpan.Zero; ; wait = NextWait(wait))
        {
            try
            {
                return await TryAsync(command).ConfigureAwait(false);
            }
            catch (Exception e) when (StoreFault.IsAway(e))
            {
                if (Begin(e, isFirst: wait == TimeSpan.Zero) is { } end)
                {
                    throw end;
                }

                // The first repetition is at once: after a restart, the connections of the pool are broken, but the database is there.
                if (wait > TimeSpan.Zero)
                {
                    await Task.Delay(wait, _time).ConfigureAwait(false);
                }
            }
            catch (NpgsqlException e)
            {
                throw new IOException($"PostgreSQL has refused a command of the cache: {e.Message}", e);
            }
        }
    }

    /// <summary>Runs a command once.</summary>
    public async Task<T> TryAsync<T>(Func<NpgsqlConnection, Task<T>> command)
    {
        if (options.Faults is { } before)
        {
            await before.BeforeAsync().ConfigureAwait(false);
        }

        NpgsqlConnection connection = await source.OpenConnectionAsync().ConfigureAwait(false);
        T result;
        await using (connection.ConfigureAwait(false))
        {
            result = await command(connection).ConfigureAwait(false);
        }

        if (options.Faults is { } after)
        {
            await after.AfterAsync().ConfigureAwait(false);
        }

        End();
        return result;
    }

    private static TimeSpan NextWait(TimeSpan wait) => wait == TimeSpan.Zero ? TimeSpan.FromMilliseconds(50)
        : wait * 2 < s_longestWait ? wait * 2 : s_longestWait;

    private IOException? Begin(Exception cause, bool isFirst)
    {
        TimeSpan lasted;
        lock (_lock)
        {
            _began ??= _time.GetTimestamp();
            lasted = _time.GetElapsedTime(_began.Value);
            if (isFirst && lasted < options.MaxOutage)
            {
                return null;
            }

            if (!_isReported)
            {
                _isReported = true;
                options.OnNotice?.Invoke(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The answers' database does not respond ({Reason(cause)}). Nothing new is sent; waiting up to {options.MaxOutage:c}."));
            }
        }

        return lasted < options.MaxOutage ? null : new IOException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"The answers' database has not responded for {lasted.TotalSeconds:0} s ({Reason(cause)}). Start it, and run again: "
                    + $"answers that are stored are kept."),
            cause);
    }

    private void End()
    {
        if (Volatile.Read(ref _isReported) || _began is not null)
        {
            lock (_lock)
            {
                if (_began is not { } began)
                {
                    return;
                }

                if (_isReported)
                {
                    _ended = _time.GetTimestamp();
                    options.OnNotice?.Invoke(string.Create(
                        CultureInfo.InvariantCulture,
                        $"The answers' database responds again after {_time.GetElapsedTime(began).TotalSeconds:0.0} s."));
                }

                _began = null;
                _isReported = false;
            }
        }
    }

    private static string Reason(Exception cause) => cause is PostgresException refusal ? refusal.MessageText
        : cause.InnerException?.Message ?? cause.Message;
}
