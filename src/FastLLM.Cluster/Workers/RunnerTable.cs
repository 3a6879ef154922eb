using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Workers;

/// <summary>Holds the runners of a worker, one for each job that it works on.</summary>
internal sealed class RunnerTable
{
    private const int MaxIdleLooks = 20;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, (JobRunner Runner, Task Ended)> _runners = new(StringComparer.Ordinal);
    private long _earlier;
    private (long Rows, long At) _last;

    /// <summary>Finds the runner of a job.</summary>
    public JobRunner? Find(string job)
    {
        lock (_gate)
        {
            return _runners.TryGetValue(job, out (JobRunner Runner, Task Ended) found) ? found.Runner : null;
        }
    }

    /// <summary>Adds a runner.</summary>
    public void Add(JobRunner runner, Task ended)
    {
        lock (_gate)
        {
            _runners[runner.Job] = (runner, ended);
        }
    }

    /// <summary>Removes a runner that has ended.</summary>
    public void Remove(JobRunner runner)
    {
        lock (_gate)
        {
            if (_runners.TryGetValue(runner.Job, out (JobRunner Runner, Task Ended) found) && found.Runner == runner)
            {
                _runners.Remove(runner.Job);
            }

            _earlier += runner.Rows;
        }
    }

    /// <summary>Waits until a runner that takes no more chunks has ended.</summary>
    public Task LeaveAsync(JobRunner runner)
    {
        lock (_gate)
        {
            return _runners.TryGetValue(runner.Job, out (JobRunner Runner, Task Ended) found) && found.Runner == runner
                ? found.Ended
                : Task.CompletedTask;
        }
    }

    /// <summary>Ends runners that have had no chunk for a while: their connections are closed.</summary>
    public void FinishIdle(HeldChunks held)
    {
        lock (_gate)
        {
            foreach ((JobRunner runner, _) in _runners.Values)
            {
                runner.IdleLooks = held.Of(runner.Job).Length > 0 ? 0 : runner.IdleLooks + 1;
                if (runner.IdleLooks >= MaxIdleLooks)
                {
                    runner.Finish();
                }
            }
        }
    }

    /// <summary>Lets all runners finish their chunks; those that take too long send nothing more.</summary>
    public async Task FinishAsync(TimeSpan patience, TimeProvider time, CancellationToken abort)
    {
        (JobRunner Runner, Task Ended)[] all;
        lock (_gate)
        {
            all = [.. _runners.Values];
        }

        foreach ((JobRunner runner, _) in all)
        {
            runner.Finish();
        }

        Task ended = Task.WhenAll(all.Select(each => each.Ended));
        await ended.WaitAsync(patience, time, abort).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!ended.IsCompleted)
        {
            await Task.WhenAll(all.Select(each => each.Runner.StopSendingAsync())).ConfigureAwait(false);
        }

        await ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Returns what the worker does.</summary>
    public WorkerReport Report(TimeProvider time)
    {
        lock (_gate)
        {
            JobRunner[] runners = [.. _runners.Values.Select(each => each.Runner)];
            long rows = _earlier + runners.Sum(runner => runner.Rows);
            long now = time.GetTimestamp();
            double seconds = time.GetElapsedTime(_last.At, now).TotalSeconds;
            double rate = _last.At == 0 || seconds <= 0 ? 0 : (rows - _last.Rows) / seconds;
            _last = (rows, now);
            return new WorkerReport(
                runners.FirstOrDefault()?.Job, runners.Sum(runner => runner.InFlight), rows, rate,
                runners.FirstOrDefault() is { Bottleneck: not Bottleneck.None } first ? first.Bottleneck.ToString() : null);
        }
    }
}
