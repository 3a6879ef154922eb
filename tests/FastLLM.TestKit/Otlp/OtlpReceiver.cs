using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FastLLM.TestKit.Otlp;

/// <summary>A span as a collector received it.</summary>
public sealed record OtlpSpan(
    string Scope, string Name, long Kind, string TraceId, string SpanId, string ParentId, IReadOnlyDictionary<string, object> Tags, long Status, string StatusText);

/// <summary>A data point as a collector received it; of a histogram, <paramref name="Value"/> is the sum.</summary>
public sealed record OtlpPoint(
    string Metric, string Unit, IReadOnlyDictionary<string, object> Tags, double Value, long Count, IReadOnlyList<double> Bounds);

/// <summary>A collector on loopback: receives traces and metrics by OTLP over HTTP, in the binary form.</summary>
public sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<OtlpSpan> _spans = [];
    private readonly ConcurrentDictionary<string, OtlpPoint> _points = [];
    private readonly ConcurrentQueue<IReadOnlyDictionary<string, object>> _resources = [];

    private OtlpReceiver(WebApplication app) => _app = app;

    /// <summary>The base URL.</summary>
    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>The spans, in the order of their arrival.</summary>
    public IReadOnlyList<OtlpSpan> Spans => [.. _spans];

    /// <summary>The attributes of the resources.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, object>> Resources => [.. _resources];

    /// <summary>The last value of each data point of a metric.</summary>
    public IReadOnlyList<OtlpPoint> Points(string metric) => [.. _points.Values.Where(point => point.Metric == metric)];

    /// <summary>The names of all metrics.</summary>
    public IReadOnlyList<string> Metrics => [.. _points.Values.Select(point => point.Metric).Distinct().Order(StringComparer.Ordinal)];

    public static async Task<OtlpReceiver> StartAsync(CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var receiver = new OtlpReceiver(builder.Build());
        receiver._app.MapPost("/v1/traces", context => receiver.ReceiveAsync(context, receiver.ReadSpans));
        receiver._app.MapPost("/v1/metrics", context => receiver.ReceiveAsync(context, receiver.ReadMetrics));
        await receiver._app.StartAsync(cancellationToken);
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext context, Action<ProtobufMessage> read)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        foreach (ProtobufMessage group in new ProtobufMessage(body.ToArray()).All(1))
        {
            _resources.Enqueue(group.First(1) is { } resource ? TagsOf(resource, 1) : new Dictionary<string, object>());
            read(group);
        }

        context.Response.ContentType = "application/x-protobuf";
    }

    private void ReadSpans(ProtobufMessage group)
    {
        foreach (ProtobufMessage scope in group.All(2))
        {
            string name = scope.First(1)?.Text(1) ?? "";
            foreach (ProtobufMessage span in scope.All(2))
            {
                ProtobufMessage? status = span.First(15);
                _spans.Enqueue(new OtlpSpan(
                    name, span.Text(5), span.Whole(6), span.Hex(1), span.Hex(2), span.Hex(4), TagsOf(span, 9), status?.Whole(3) ?? 0, status?.Text(2) ?? ""));
            }
        }
    }

    private void ReadMetrics(ProtobufMessage group)
    {
        foreach (ProtobufMessage metric in group.All(2).SelectMany(scope => scope.All(2)))
        {
            (string name, string unit) = (metric.Text(1), metric.Text(3));
            foreach (ProtobufMessage point in metric.All(5).Concat(metric.All(7)).SelectMany(data => data.All(1)))
            {
                Keep(new OtlpPoint(name, unit, TagsOf(point, 7), point.Has(4) ? point.Real(4) : point.Whole(6), 0, []));
            }

            foreach (ProtobufMessage point in metric.All(9).SelectMany(data => data.All(1)))
            {
                Keep(new OtlpPoint(name, unit, TagsOf(point, 9), point.Real(5), point.Whole(4), point.Reals(7)));
            }
        }
    }

    private void Keep(OtlpPoint point) =>
        _points[$"{point.Metric} {string.Join(' ', point.Tags.OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => $"{tag.Key}={tag.Value}"))}"] = point;

    private static Dictionary<string, object> TagsOf(ProtobufMessage message, int number) =>
        message.All(number).ToDictionary(pair => pair.Text(1), pair => ValueOf(pair.First(2)!));

    private static object ValueOf(ProtobufMessage value) => value.Has(2) ? value.Whole(2) != 0
        : value.Has(3) ? value.Whole(3)
        : value.Has(4) ? value.Real(4)
        : value.Has(5) ? string.Join(',', value.First(5)!.All(1).Select(ValueOf))
        : value.Text(1);
}
