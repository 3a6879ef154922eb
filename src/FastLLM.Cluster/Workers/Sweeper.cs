using FastLLM.Cluster.Broker;
using FastLLM.Cluster.Store;

namespace FastLLM.Cluster.Workers;

/// <summary>Publishes again the chunks that have no message: those of workers that ended, and those whose messages are lost.</summary>
internal sealed class Sweeper(ChunkStore chunks, WorkerStore workers, WorkerLease lease, Action<string> say)
{
    private const int MaxRepublished = 1_000;
    private bool _wasIdle;

    /// <summary>Sweeps once, if the broker is there and the worker's own lease is current.</summary>
    public async Task SweepAsync(BrokerSession? session, CancellationToken cancellationToken)
    {
        if (session is null || !lease.IsCurrent)
        {
            return;
        }

        Task Bury(ChunkId dead) => workers.MarkPoisonedAsync(dead, Worker.MaxCrashes, cancellationToken);
        while (await session.TakeDeadAsync(Bury, cancellationToken).ConfigureAwait(false) is { } chunk)
        {
            await session.PublishAsync([chunk], cancellationToken).ConfigureAwait(false);
        }

        if (lease.MayJudgeOthers)
        {
            await TakeFromEndedAsync(session, cancellationToken).ConfigureAwait(false);
        }

        await PublishLostAsync(session, cancellationToken).ConfigureAwait(false);
    }

    private async Task TakeFromEndedAsync(BrokerSession session, CancellationToken cancellationToken)
    {
        IReadOnlyList<ChunkId> left = await workers.TakeFromEndedAsync(cancellationToken).ConfigureAwait(false);
        if (left.Count > 0)
        {
            say(FormattableString.Invariant($"{left.Count:N0} chunks of workers that ended are published again."));
            await session.PublishFirstAsync(left, cancellationToken).ConfigureAwait(false);
        }
    }

    // Messages that were delivered a moment ago are no loss: only a queue that stays empty shows that some are missing.
    private async Task PublishLostAsync(BrokerSession session, CancellationToken cancellationToken)
    {
        bool isIdle = await session.CountAsync(cancellationToken).ConfigureAwait(false) == 0;
        if (isIdle && _wasIdle
            && await chunks.ListWaitingAsync(job: null, MaxRepublished, cancellationToken).ConfigureAwait(false) is { Count: > 0 } waiting)
        {
            await session.PublishAsync(waiting, cancellationToken).ConfigureAwait(false);
            isIdle = false;
        }

        _wasIdle = isIdle;
    }
}
