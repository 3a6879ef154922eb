namespace FastLLM.Cluster.Store;

/// <summary>Repeats commands while the database is away, and reports when it is away and when it is back.</summary>
internal sealed class StoreLink(TimeProvider time, Action<string> say)
{
    private int _isAway;

    /// <summary>Runs a command until the database executes it. The command must be safe to repeat.</summary>
    public async Task<T> RepeatAsync<T>(Func<Task<T>> command, CancellationToken cancellationToken)
    {
        T result = await StoreFault.RepeatAsync(command, time, NoteAway, cancellationToken).ConfigureAwait(false);
        NoteBack();
        return result;
    }

    /// <summary>Runs a command once, if the database is not away.</summary>
    public static async Task TryAsync(Func<Task> command)
    {
        try
        {
            await command().ConfigureAwait(false);
        }
        catch (Exception e) when (StoreFault.IsAway(e))
        {
        }
    }

    /// <summary>Notes that the database is away.</summary>
    public void NoteAway(Exception fault)
    {
        if (Interlocked.Exchange(ref _isAway, 1) == 0)
        {
            say($"PostgreSQL is away ({fault.InnerException?.Message ?? fault.Message}). Trying again until it is back.");
        }
    }

    /// <summary>Notes that the database has executed a command.</summary>
    public void NoteBack()
    {
        if (Volatile.Read(ref _isAway) == 1 && Interlocked.Exchange(ref _isAway, 0) == 1)
        {
            say("PostgreSQL is back.");
        }
    }
}
