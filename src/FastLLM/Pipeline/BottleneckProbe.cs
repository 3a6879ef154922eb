using FastLLM.Costs;
using FastLLM.Progress;
using FastLLM.RateLimiting;

namespace FastLLM.Pipeline;

/// <summary>Tells what limits a run at a moment. Ask it wherever that may change; it costs a lock only when the answer changes.</summary>
internal sealed class BottleneckProbe(RateLimiters limiters, BudgetLedger? ledger, BottleneckMonitor total)
{
    // Just below the limit counts as full: between two requests a slot is empty for a moment.
    private const double Full = 0.9;

    private readonly Lock _gate = new();

    /// <summary>Accounts the time from now on to what limits the run.</summary>
    public void Note<TResponse>(Run<TResponse> run)
    {
        Bottleneck now = Of(run);
        if (run.Tracker.Bottlenecks.Present == now && total.Present == now)
        {
            return;
        }

        lock (_gate)
        {
            // Looked at again: a later note must not be overruled by an older look, and a run that is over has no bottleneck.
            if (!run.IsOver)
            {
                now = Of(run);
                run.Tracker.Bottlenecks.Is(now);
                total.Is(now);
            }
        }
    }

    /// <summary>Ends the accounting of a run.</summary>
    public void End<TResponse>(Run<TResponse> run, bool isLast)
    {
        lock (_gate)
        {
            run.IsOver = true;
            run.Tracker.Bottlenecks.Is(Bottleneck.None);
            if (isLast)
            {
                total.Is(Bottleneck.None);
            }
        }
    }

    private Bottleneck Of<TResponse>(Run<TResponse> run)
    {
        if (ledger is { IsShort: true })
        {
            return Bottleneck.Budget;
        }

        switch (limiters.BlockedBy)
        {
            case BlockReason.Closed:
                return Bottleneck.BackOff;
            case BlockReason.Requests:
                return Bottleneck.RequestsPerMinute;
            case BlockReason.Tokens:
                return Bottleneck.TokensPerMinute;
            case BlockReason.Concurrency:
                return Bottleneck.Concurrency;
        }

        int inFlight = limiters.InFlight;
        int backingOff = run.Workers.BackingOff;
        bool more = run.HasMoreRows;
        return more && inFlight > 0 && inFlight >= limiters.Limit * Full ? Bottleneck.Concurrency
            : backingOff > inFlight ? Bottleneck.BackOff
            : run.IsHeldUpByConsumer ? Bottleneck.Output
            : run.Workers.SentElsewhere > inFlight ? Bottleneck.ProviderLatency
            : more ? Bottleneck.Input
            : inFlight > 0 ? Bottleneck.ProviderLatency
            : backingOff > 0 ? Bottleneck.BackOff
            : Bottleneck.Output;
    }
}
