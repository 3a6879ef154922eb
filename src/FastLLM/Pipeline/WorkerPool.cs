namespace FastLLM.Pipeline;

/// <summary>Runs the workers of one run. Each takes one row after the other and sees it through, so that a finished request makes room for
/// the next at once.</summary>
/// <remarks>A worker whose request waits without a lease (it backs off, waits for its limiter, or is being recorded) is paused, and another
/// one takes over. When it returns, there is one too many: the first that has finished its row retires.</remarks>
internal sealed class WorkerPool<TResponse>(
    Run<TResponse> run, RequestPipeline<TResponse> pipeline, ContextPool<TResponse> contexts, int concurrency)
{
    private readonly int _maxPaused = MaxPaused(concurrency);
    private int _working;
    private int _paused;
    private int _backingOff;
    private int _sentElsewhere;

    /// <summary>Gets how many requests back off.</summary>
    public int BackingOff => Volatile.Read(ref _backingOff);

    /// <summary>Gets how many requests wait for another machine that sends them.</summary>
    public int SentElsewhere => Volatile.Read(ref _sentElsewhere);

    /// <summary>Returns how many workers may be paused at once. Beyond that, bounded memory counts more than speed.</summary>
    public static int MaxPaused(int concurrency) => Math.Max(1000, 4 * concurrency);

    /// <summary>Starts the first workers.</summary>
    /// <param name="rows">How many rows there are at least.</param>
    public void Start(int rows)
    {
        int workers = Math.Min(rows, concurrency);
        for (var i = 0; i < workers; i++)
        {
            StartOne();
        }
    }

    /// <summary>Pauses the calling worker. Another one takes over if there are rows left and too few work.</summary>
    public void Pause()
    {
        int working = Interlocked.Decrement(ref _working);
        if (Interlocked.Increment(ref _paused) <= _maxPaused && working < concurrency && run.HasMoreRows && !run.IsStopping)
        {
            StartOne();
        }
    }

    /// <summary>Ends the pause of the calling worker.</summary>
    public void Resume()
    {
        Interlocked.Decrement(ref _paused);
        Interlocked.Increment(ref _working);
    }

    /// <summary>Pauses the calling worker while its request backs off.</summary>
    public void BeginBackOff()
    {
        Pause();
        Interlocked.Increment(ref _backingOff);
    }

    /// <summary>Ends the pause after a back-off.</summary>
    public void EndBackOff()
    {
        Interlocked.Decrement(ref _backingOff);
        Resume();
    }

    /// <summary>Pauses the calling worker while another machine sends its request.</summary>
    public void BeginSentElsewhere()
    {
        Pause();
        Interlocked.Increment(ref _sentElsewhere);
    }

    /// <summary>Ends the pause when the other machine's claim has ended.</summary>
    public void EndSentElsewhere()
    {
        Interlocked.Decrement(ref _sentElsewhere);
        Resume();
    }

    private void StartOne()
    {
        Interlocked.Increment(ref _working);
        ThreadPool.QueueUserWorkItem(static pool => _ = pool.WorkAsync(), this, preferLocal: false);
    }

    private async Task WorkAsync()
    {
        RequestContext<TResponse> context = contexts.Rent();
        try
        {
            while (!TryRetire() && await pipeline.ProcessNextAsync(context, run).ConfigureAwait(false))
            {
            }
        }
        catch (Exception e)
        {
            run.Fault(e);
        }
        finally
        {
            contexts.Return(context);
        }
    }

    // Never so many retire that fewer than wanted stay.
    private bool TryRetire()
    {
        while (true)
        {
            int working = Volatile.Read(ref _working);
            if (working <= concurrency)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref _working, working - 1, working) == working)
            {
                return true;
            }
        }
    }
}
