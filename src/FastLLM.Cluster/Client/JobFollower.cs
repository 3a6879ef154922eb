using System.Collections;
using FastLLM.Cluster.Limits;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Client;

/// <summary>Follows a job: reads each chunk once it is done, and reports progress, until the job ends.</summary>
internal sealed class JobFollower(ClusterStore store, StoreLink link, Action<TokenStats> report)
{
    private static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(500);

    private readonly ChunkStore _chunks = new(store);
    private readonly JobStore _jobs = new(store);
    private readonly WorkerStore _workers = new(store);
    private readonly LearnedLimitsReader _limits = new(store);
    private readonly long _start = store.Time.GetTimestamp();
    private readonly DateTimeOffset _startTime = store.Time.GetUtcNow();

    private string? _endpoint;

    /// <summary>Gets the latest progress.</summary>
    public TokenStats Latest { get; private set; } = new();

    /// <summary>Follows a job until it is done, canceled or stopped.</summary>
    /// <param name="id">The job.</param>
    /// <param name="write">Receives each line with its LF, chunk by chunk as they are completed.</param>
    /// <param name="cancellationToken">Ends the following; the job continues.</param>
    /// <returns>The job at its end.</returns>
    /// <exception cref="IOException">The job is gone.</exception>
    public async Task<ClusterJob> FollowAsync(string id, Action<ReadOnlyMemory<byte>> write, CancellationToken cancellationToken)
    {
        var reader = new OutputReader(_chunks);
        BitArray? read = null;
        var first = 0;
        while (true)
        {
            // The job first: the chunks of a job that is done are all there.
            ClusterJob job = await link.RepeatAsync(() => _jobs.FindAsync(id, cancellationToken), cancellationToken).ConfigureAwait(false)
                ?? throw new IOException($"The job {id} is gone from the store.");
            read ??= new BitArray(job.Chunks);
            IReadOnlyList<int> done =
                await link.RepeatAsync(() => _chunks.ListDoneAsync(id, first, cancellationToken), cancellationToken).ConfigureAwait(false);
            foreach (int number in done.Where(number => !read[number]))
            {
                IReadOnlyList<ReadOnlyMemory<byte>> lines = await link.RepeatAsync(
                    () => reader.ReadLinesAsync(new ChunkId(id, number), cancellationToken), cancellationToken).ConfigureAwait(false);
                foreach (ReadOnlyMemory<byte> line in lines)
                {
                    write(line);
                }

                read[number] = true;
            }

            while (first < read.Length && read[first])
            {
                first++;
            }

            await ReportAsync(job, cancellationToken).ConfigureAwait(false);
            if (job.State is ClusterJob.Done or ClusterJob.Canceled or ClusterJob.Stopped)
            {
                return job;
            }

            await Task.Delay(s_poll, store.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ReportAsync(ClusterJob job, CancellationToken cancellationToken)
    {
        IReadOnlyList<LiveWorker> workers =
            await link.RepeatAsync(() => _workers.ListAsync(cancellationToken), cancellationToken).ConfigureAwait(false);
        LiveWorker[] mine = [.. workers.Where(worker => worker.Report.Job == job.Id)];
        IReadOnlyList<LearnedLimits> learned =
            await link.RepeatAsync(() => ReadLimitsAsync(job.Id, cancellationToken), cancellationToken).ConfigureAwait(false);
        Latest = new TokenStats
        {
            RequestsTotal = job.Rows,
            RequestsCompleted = job.RowsDone,
            Failed = job.Counts.Failed,
            CacheHits = job.Counts.Cached,
            Shared = job.Counts.Shared,
            Sent = job.Counts.Sends,
            PromptTokens = job.Counts.PromptTokens,
            CompletionTokens = job.Counts.CompletionTokens,
            TotalTokens = job.Counts.PromptTokens + job.Counts.CompletionTokens,
            Cost = job.Counts.Cost,
            InFlight = mine.Sum(worker => worker.Report.InFlight),
            LimitedBy = JobStatus.BottleneckOf(mine),
            LearnedLimits = learned,
            StartTime = _startTime,
            ElapsedTime = store.Time.GetElapsedTime(_start),
        };
        report(Latest);
    }

    private async Task<IReadOnlyList<LearnedLimits>> ReadLimitsAsync(string job, CancellationToken cancellationToken)
    {
        _endpoint ??= await _jobs.ReadSpecAsync(job, cancellationToken).ConfigureAwait(false) is { } spec
            ? LearnedLimitsReader.EndpointOf(spec)
            : null;
        return _endpoint is null ? [] : await _limits.ReadAsync(_endpoint, cancellationToken).ConfigureAwait(false);
    }
}
