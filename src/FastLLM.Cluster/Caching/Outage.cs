using System.Globalization;
using FastLLM.Cluster.Store;
using Npgsql;

namespace FastLLM.Cluster.Caching;

/// <summary>Repeats commands while the database is away, for a limited time, and reports that once.</summary>
internal sealed class Outage(NpgsqlDataSource source, PostgresCacheOptions options)
{
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time = options.TimeProvider;
    private readonly Lock _lock = new();
    private long? _began;
    private long? _ended;
    private bool _isAway;
    private bool _isReported;

    /// <summary>Gets or sets what is called when an outage has ended.</summary>
    public Action? Ended { get; set; }

    // After an outage, machines renew the claims that have expired meanwhile, or were lost in a crash of the database.
    private TimeSpan Calm => options.ClaimExpiry / 2;

    /// <summary>Gets a value indicating whether claims of other machines that have expired, or are missing, may be taken over.</summary>
    public bool MayTakeOver
    {
        get
        {
            lock (_lock)
            {
                return _began is null && (_ended is not { } ended || _time.GetElapsedTime(ended) >= Calm);
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
            _isAway = true;
            _began ??= _time.GetTimestamp();
            lasted = _time.GetElapsedTime(_began.Value);
            if (isFirst && lasted < options.MaxOutage)
            {
                return null;
            }

            if (!_isReported)
            {
                _isReported = true;
                string until = options.MaxOutage == TimeSpan.MaxValue
                    ? "until it is back"
                    : string.Create(CultureInfo.InvariantCulture, $"up to {options.MaxOutage:c}");
                options.OnNotice?.Invoke(
                    $"The database of the answers does not respond ({Reason(cause)}). Nothing new is sent; waiting {until}.");
            }
        }

        return lasted < options.MaxOutage ? null : new IOException(
            string.Create(
                CultureInfo.InvariantCulture,
                $"The database of the answers has not responded for {lasted.TotalSeconds:0} s ({Reason(cause)}). Start it, and run again: "
                    + $"answers that are stored are kept."),
            cause);
    }

    private void End()
    {
        if (!Volatile.Read(ref _isAway))
        {
            return;
        }

        bool wasReported;
        lock (_lock)
        {
            if (_began is not { } began)
            {
                return;
            }

            wasReported = _isReported;
            if (wasReported)
            {
                _ended = _time.GetTimestamp();
                options.OnNotice?.Invoke(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The database of the answers responds again after {_time.GetElapsedTime(began).TotalSeconds:0.0} s."));
            }

            _began = null;
            _isAway = _isReported = false;
        }

        if (wasReported)
        {
            Ended?.Invoke();
        }
    }

    private static string Reason(Exception cause) => cause is PostgresException refusal ? refusal.MessageText
        : cause.InnerException?.Message ?? cause.Message;
}
