using FastLLM.Pipeline;

namespace FastLLM.Jobs.Output;

internal sealed class EngineRun
{
    private readonly RequestManager _manager;
    private readonly decimal _before;

    public EngineRun(RequestManager manager, IAsyncEnumerable<LlmRequest> rows, RunSettings settings, CancellationToken cancellationToken)
    {
        _manager = manager;
        _before = manager.TotalCost();
        if (settings.AnnounceInFlight is { } announce)
        {
            manager.BudgetLedger?.Begin(settings.EarlierCost, announce);
        }

        Outcomes = manager.ProcessAsync(rows, settings.Total, settings.Drain, cancellationToken);
    }

    public IAsyncEnumerable<ResponseWrapper<LlmResponse>> Outcomes { get; }

    public TokenStats Stats => _manager.Stats;

    public Bottleneck Bottleneck => _manager.LimitedBy;

    public decimal Cost(bool withReserved) => Math.Max(0, _manager.TotalCost(withReserved) - _before);

    public void RecordCost(decimal cost) => _manager.BudgetLedger?.Recorded(cost);
}
