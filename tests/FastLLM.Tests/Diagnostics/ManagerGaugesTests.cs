using System.Diagnostics.Metrics;
using FastLLM.Diagnostics;
using Xunit;

namespace FastLLM.Tests.Diagnostics;

public sealed class ManagerGaugesTests
{
    [Fact]
    public void Managers_WithOneProvider_AreAddedUp_AndTheLowestLearnedLimitCounts()
    {
        ProviderIdentity provider = ProviderIdentity.Of(new Uri("http://gauges.test/v1"), "gauges");
        using var one = new ManagerGauges(provider, () => new ManagerState(3, 10, 4, 1, Bottleneck.Concurrency, [Learned("m", 20, 5)]));
        using var two = new ManagerGauges(provider with { }, () => new ManagerState(2, 5, 0, 0, Bottleneck.BackOff, [Learned("m", null, 2), Learned("n", 7, null)]));

        List<(string Metric, string Tag, double Value)> seen = Collect("gauges");

        Assert.Contains(("fastllm.requests.in_flight", "", 5), seen);
        Assert.Contains(("fastllm.requests.in_flight.limit", "", 15), seen);
        Assert.Contains(("fastllm.requests.waiting", "limit", 4), seen);
        Assert.Contains(("fastllm.requests.waiting", "back_off", 1), seen);
        Assert.Contains(("fastllm.bottleneck", "BackOff", 1), seen);
        Assert.Contains(("fastllm.bottleneck", "Budget", 0), seen);
        Assert.Equal([("m", 20.0), ("n", 7.0)], Of(seen, "fastllm.limit.in_flight"));
        Assert.Equal([("m", 2.0)], Of(seen, "fastllm.limit.rate"));
    }

    [Fact]
    public void Dispose_Manager_EndsItsMeasurements()
    {
        var gauges = new ManagerGauges(ProviderIdentity.Of(new Uri("http://ended.test/v1"), "ended"), () => default);
        Assert.NotEmpty(Collect("ended"));

        gauges.Dispose();

        Assert.Empty(Collect("ended"));
    }

    private static LearnedLimits Learned(string model, int? inFlight, double? rate) => new() { Model = model, InFlight = inFlight, RequestsPerSecond = rate };

    private static (string, double)[] Of(List<(string Metric, string Tag, double Value)> seen, string metric) =>
        [.. seen.Where(point => point.Metric == metric).Select(point => (point.Tag, point.Value)).Order()];

    // Managers of other tests have other providers.
    private static List<(string Metric, string Tag, double Value)> Collect(string provider)
    {
        List<(string, string, double)> seen = [];
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == LlmTelemetry.Name && instrument.IsObservable)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.Start();
        System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(Telemetry).TypeHandle);
        listener.RecordObservableInstruments();
        return seen;

        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            if (tags[0].Value!.Equals(provider))
            {
                seen.Add((instrument.Name, tags.Length > 3 ? (string)tags[3].Value! : "", value));
            }
        }
    }
}
