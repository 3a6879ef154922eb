using System.Diagnostics.Metrics;

namespace FastLLM.Diagnostics;

/// <summary>Reports the state of a manager when a listener asks for it: a manager does nothing for it meanwhile.</summary>
/// <remarks>Managers with the same provider are added up. The list of managers holds them weakly: a manager that is neither used nor
/// disposed is garbage.</remarks>
internal sealed class ManagerGauges : IDisposable
{
    private static readonly Lock s_gate = new();
    private static readonly List<WeakReference<ManagerGauges>> s_all = [];

    private readonly ProviderIdentity _provider;
    private readonly Func<ManagerState> _read;

    /// <summary>Adds a manager.</summary>
    /// <param name="provider">Its provider.</param>
    /// <param name="read">Reads its state.</param>
    public ManagerGauges(ProviderIdentity provider, Func<ManagerState> read)
    {
        _provider = provider;
        _read = read;
        lock (s_gate)
        {
            s_all.RemoveAll(static entry => !entry.TryGetTarget(out _));
            s_all.Add(new WeakReference<ManagerGauges>(this));
        }
    }

    /// <summary>Creates the instruments.</summary>
    public static void CreateInstruments(Meter meter)
    {
        meter.CreateObservableUpDownCounter(
            "fastllm.requests.in_flight", () => Sum(state => state.InFlight), "{request}", "Requests that are sent and not answered yet.");
        meter.CreateObservableUpDownCounter(
            "fastllm.requests.in_flight.limit", () => Sum(state => state.Limit), "{request}", "How many requests may be in flight now.");
        meter.CreateObservableUpDownCounter(
            "fastllm.requests.waiting", Waiting, "{request}", "Requests that wait to be sent, by reason.");
        meter.CreateObservableGauge(
            "fastllm.bottleneck", Bottlenecks, "{manager}", "Managers whose speed is limited by this bottleneck now.");
        meter.CreateObservableGauge(
            "fastllm.limit.in_flight", () => Learned(limits => limits.InFlight), "{request}",
            "How many requests the provider accepts at once, learned from its refusals.");
        meter.CreateObservableGauge(
            "fastllm.limit.rate", () => Learned(limits => limits.RequestsPerSecond), "{request}/s",
            "How many requests the provider accepts per second, learned from its refusals.");
        meter.CreateObservableGauge(
            "fastllm.limit.refused_share", () => Learned(limits => limits.RefusedAtRandom), "1",
            "The share of sends that the provider refuses at random.");
    }

    /// <summary>Removes the manager.</summary>
    public void Dispose()
    {
        lock (s_gate)
        {
            s_all.RemoveAll(entry => !entry.TryGetTarget(out ManagerGauges? gauges) || ReferenceEquals(gauges, this));
        }
    }

    private static List<(ProviderIdentity Provider, ManagerState State)> Read()
    {
        List<ManagerGauges> all = [];
        lock (s_gate)
        {
            foreach (WeakReference<ManagerGauges> entry in s_all)
            {
                if (entry.TryGetTarget(out ManagerGauges? gauges))
                {
                    all.Add(gauges);
                }
            }
        }

        return [.. all.Select(gauges => (gauges._provider, gauges._read()))];
    }

    private static IEnumerable<Measurement<long>> Sum(Func<ManagerState, long> value) => Read()
        .GroupBy(manager => manager.Provider, manager => value(manager.State))
        .Select(group => new Measurement<long>(group.Sum(), group.Key.Tags));

    private static IEnumerable<Measurement<long>> Waiting() => Read().GroupBy(manager => manager.Provider, manager => manager.State)
        .SelectMany(group => (Measurement<long>[])
        [
            new(group.Sum(state => (long)state.WaitingForLimits), [.. group.Key.Tags, new(Telemetry.WaitReason, "limit")]),
            new(group.Sum(state => (long)state.BackingOff), [.. group.Key.Tags, new(Telemetry.WaitReason, "back_off")]),
        ]);

    // All bottlenecks, also those that limit none: a dashboard must see them end.
    private static IEnumerable<Measurement<long>> Bottlenecks() => Read().GroupBy(manager => manager.Provider, manager => manager.State)
        .SelectMany(group => Enum.GetValues<Bottleneck>().Select(bottleneck => new Measurement<long>(
            group.Count(state => state.Bottleneck == bottleneck),
            [.. group.Key.Tags, new(Telemetry.BottleneckName, bottleneck.ToString())])));

    private static IEnumerable<Measurement<double>> Learned(Func<LearnedLimits, double?> value) =>
        from manager in Read()
        from limits in manager.State.Learned ?? []
        group value(limits) by (manager.Provider, limits.Model) into learned
        let known = learned.OfType<double>().ToArray()
        where known.Length > 0
        select new Measurement<double>(known.Min(), [.. learned.Key.Provider.Tags, new(Telemetry.RequestModel, learned.Key.Model)]);
}
