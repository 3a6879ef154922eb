using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace FastLLM.Services;

/// <summary>Judges the health of a client by what its manager has seen. It sends nothing.</summary>
internal sealed class ClientHealth(RequestManager<LlmResponse> manager)
{
    private const int FewestRequests = 10;

    private readonly Lock _gate = new();
    private (long Completed, long Failed) _seen;

    /// <summary>Returns the health now.</summary>
    /// <param name="failure">The status of a client whose provider is down.</param>
    public HealthCheckResult Check(HealthStatus failure)
    {
        TokenStats stats = manager.Stats;
        (long completed, long failed) = Since(stats);
        IReadOnlyList<string> down = manager.Limiters.Down();
        int waiting = manager.Limiters.CountWaiters();
        var data = new Dictionary<string, object>
        {
            ["in_flight"] = stats.InFlight,
            ["waiting"] = waiting,
            ["completed"] = stats.RequestsCompleted,
            ["failed"] = stats.Failed,
            ["throttled"] = stats.Throttled,
            ["bottleneck"] = stats.LimitedBy.ToString(),
        };
        if (down.Count > 0)
        {
            string models = string.Join(", ", down.Select(model => model.Length == 0 ? "requests without a model" : model));
            return new HealthCheckResult(failure, $"The provider is down for {models}; {waiting} requests wait for it.", data: data);
        }

        return completed >= FewestRequests && failed == completed
            ? HealthCheckResult.Degraded($"All {failed} requests since the last check have failed.", data: data)
            : stats.LimitedBy == Bottleneck.BackOff && waiting > 0
                ? HealthCheckResult.Degraded($"The provider asks to wait; {waiting} requests wait.", data: data)
                : HealthCheckResult.Healthy(data: data);
    }

    private (long Completed, long Failed) Since(TokenStats stats)
    {
        lock (_gate)
        {
            (long completed, long failed) = _seen;
            _seen = (stats.RequestsCompleted, stats.Failed);
            return (stats.RequestsCompleted - completed, stats.Failed - failed);
        }
    }
}

/// <summary>Represents the health check of a client.</summary>
internal sealed class ClientHealthCheck(ClientHealth health) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(health.Check(context.Registration.FailureStatus));
}
