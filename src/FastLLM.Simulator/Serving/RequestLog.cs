using Microsoft.AspNetCore.Http.Features;

namespace FastLLM.Simulator.Serving;

/// <summary>Keeps the requests that have arrived whole, in their order.</summary>
internal sealed class RequestLog
{
    private readonly Lock _gate = new();
    private readonly List<SimulatorRequest> _requests = [];

    public SimulatorRequest[] Requests
    {
        get
        {
            lock (_gate)
            {
                return [.. _requests];
            }
        }
    }

    public void Add(IFeatureCollection context, ReadOnlySpan<byte> body)
    {
        IHttpRequestFeature request = context.Get<IHttpRequestFeature>()!;
        var headers = request.Headers.ToDictionary(
            header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        var kept = new SimulatorRequest(request.Path, headers, body.ToArray());
        lock (_gate)
        {
            _requests.Add(kept);
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            _requests.Clear();
        }
    }
}
