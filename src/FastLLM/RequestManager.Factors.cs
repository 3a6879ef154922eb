using FastLLM.Pipeline;
using FastLLM.Progress;
using FastLLM.RateLimiting;

namespace FastLLM;

// Why is it slow: what limits a run at a moment, noted wherever that may change.
public partial class RequestManager<TResponse>
{
    // Just below the limit it is used up too: between two requests a slot is empty for a moment.
    private const double UsedUp = 0.9;

    /// <summary>Gets what limits the manager at this moment.</summary>
    internal Bottleneck LimitedBy => _tracker.Bottlenecks.Present;

    /// <summary>Gets the clock that it was given.</summary>
    internal TimeProvider Clock => _time;

    // Asked for at every send: reads a few numbers, and takes a lock only when the answer is another one than before.
    private void NoteBottleneck(Run<TResponse> run)
    {
        Bottleneck factor = BottleneckOf(run);
        run.Tracker.Bottlenecks.Is(factor);
        _tracker.Bottlenecks.Is(factor);
    }

    private Bottleneck BottleneckOf(Run<TResponse> run)
    {
        if (_spending is { IsShort: true })
        {
            return Bottleneck.Budget;
        }

        switch (_limiters.BlockedBy)
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

        int inFlight = _limiters.InFlight;
        bool more = run.HasMoreRows;
        return more && inFlight > 0 && inFlight >= _limiters.Limit * UsedUp ? Bottleneck.Concurrency
            : run.BackingOff > inFlight ? Bottleneck.BackOff
            : run.IsHeldUpByConsumer ? Bottleneck.Output
            : more ? Bottleneck.Input
            : inFlight > 0 ? Bottleneck.ProviderLatency
            : run.BackingOff > 0 ? Bottleneck.BackOff
            : Bottleneck.Output;
    }

    private EngineState State() => new(_limiters.InFlight, _limiters.Limit, _limiters.Ceiling, _options.RateLimits?.RequestsPerMinute, _options.RateLimits?.TokensPerMinute);
}
