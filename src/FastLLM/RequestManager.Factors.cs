using FastLLM.Admission;
using FastLLM.Progress;
using FastLLM.Results;

namespace FastLLM;

// Why is it slow: what limits a run at a moment, noted wherever that may change.
public partial class RequestManager<TResponse>
{
    // Just below the limit it is used up too: between two requests a slot is empty for a moment.
    private const double UsedUp = 0.9;

    /// <summary>Gets what limits the manager at this moment.</summary>
    internal LimitingFactor LimitedBy => _tracker.Factors.Present;

    /// <summary>Gets the clock that it was given.</summary>
    internal TimeProvider Clock => _time;

    // Asked for at every send: reads a few numbers, and takes a lock only when the answer is another one than before.
    private void NoteFactor(Run<TResponse> run)
    {
        LimitingFactor factor = FactorOf(run);
        run.Tracker.Factors.Is(factor);
        _tracker.Factors.Is(factor);
    }

    private LimitingFactor FactorOf(Run<TResponse> run)
    {
        if (_spending is { IsShort: true })
        {
            return LimitingFactor.Budget;
        }

        switch (_gates.BlockedBy)
        {
            case Block.Closed:
                return LimitingFactor.BackOff;
            case Block.Requests:
                return LimitingFactor.RequestsPerMinute;
            case Block.Tokens:
                return LimitingFactor.TokensPerMinute;
            case Block.Concurrency:
                return LimitingFactor.Concurrency;
        }

        int inFlight = _gates.InFlight;
        bool more = run.HasMoreRows;
        return more && inFlight > 0 && inFlight >= _gates.Limit * UsedUp ? LimitingFactor.Concurrency
            : run.BackingOff > inFlight ? LimitingFactor.BackOff
            : run.IsHeldUpByConsumer ? LimitingFactor.Output
            : more ? LimitingFactor.Input
            : inFlight > 0 ? LimitingFactor.ProviderLatency
            : run.BackingOff > 0 ? LimitingFactor.BackOff
            : LimitingFactor.Output;
    }

    private EngineState State() => new(_gates.InFlight, _gates.Limit, _gates.Ceiling, _options.RateLimits?.RequestsPerMinute, _options.RateLimits?.TokensPerMinute);
}
