using System.Text.Encodings.Web;
using System.Text.Json;
using FastLLM.Simulator.Answers;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace FastLLM.Simulator.Serving;

/// <summary>Handles all requests straight on Kestrel: no routing, no HttpContext, no logging.</summary>
internal sealed class SimulatorApplication : IHttpApplication<IFeatureCollection>
{
    private const string ModelPath = "/v1/models/";
    private const int ModelPathLength = 11;

    private readonly SimulatorOptions _options;
    private readonly Counters _counters;
    private readonly SendHandler _sends;

    public SimulatorApplication(SimulatorOptions options, Counters counters)
    {
        _options = options;
        _counters = counters;
        Ledger = options.Ledger ? new Ledger(options.TimeProvider) : null;
        Requests = options.RecordRequests ? new RequestLog() : null;
        _sends = new SendHandler(options, counters, Ledger, Requests);
    }

    public Ledger? Ledger { get; }

    public RequestLog? Requests { get; }

    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    public void DisposeContext(IFeatureCollection context, Exception? exception)
    {
    }

    public Task ProcessRequestAsync(IFeatureCollection context)
    {
        IHttpRequestFeature request = context.Get<IHttpRequestFeature>()!;
        (ServedPath path, string allowed) = request.Path switch
        {
            "/v1/chat/completions" => (ServedPath.ChatCompletions, "POST"),
            "/v1/embeddings" => (ServedPath.Embeddings, "POST"),
            "/v1/responses" => (ServedPath.Responses, "POST"),
            "/v1/completions" => (ServedPath.Completions, "POST"),
            "/v1/models" => (ServedPath.Models, "GET"),
            { Length: > ModelPathLength } model when model.StartsWith(ModelPath, StringComparison.Ordinal) => (ServedPath.Models, "GET"),
            "/simulator/stats" => (ServedPath.Stats, "GET"),
            "/simulator/ledger" when Ledger is not null => (ServedPath.Ledger, "GET"),
            _ => (ServedPath.Other, ""),
        };

        return path == ServedPath.Other || !string.Equals(request.Method, allowed, StringComparison.Ordinal)
                ? RefuseAsync(context, request, path, allowed)
            : path is ServedPath.ChatCompletions or ServedPath.Embeddings or ServedPath.Responses or ServedPath.Completions
                ? _sends.HandleAsync(context, path)
            : path == ServedPath.Ledger ? Delivery.LedgerAsync(context, Ledger!)
            : ReportAsync(context, request.Path, path);
    }

    /// <summary>Answers with the list of models, one of them, or the counts.</summary>
    private async Task ReportAsync(IFeatureCollection context, string address, ServedPath path)
    {
        JsonOut output = JsonOut.Rent(_options.Compact);
        if (path == ServedPath.Stats)
        {
            _counters.Snapshot().WriteTo(output);
        }
        else
        {
            _counters.Enter();
            if (address.Length > ModelPathLength)
            {
                // Kestrel has decoded everything but slashes.
                string model = address[ModelPathLength..].Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
                Answer.WriteModel(JsonEncodedText.Encode(model, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes, output);
            }
            else
            {
                Answer.WriteModels(output);
            }

            _counters.Leave(path, StatusCodes.Status200OK);
        }

        await Delivery.WholeAsync(context, context.Get<IHttpResponseFeature>()!, StatusCodes.Status200OK, output);
    }

    private async Task RefuseAsync(IFeatureCollection context, IHttpRequestFeature request, ServedPath path, string allowed)
    {
        Problem problem = path == ServedPath.Other
            ? new Problem(StatusCodes.Status404NotFound, $"Invalid URL ({request.Method} {request.Path})")
            : new Problem(
                StatusCodes.Status405MethodNotAllowed,
                $"Not allowed to {request.Method} on {request.Path}. (HINT: Perhaps you meant to use a different HTTP method?)",
                Code: "method_not_supported");
        if (path is not (ServedPath.Stats or ServedPath.Ledger))
        {
            _counters.Enter();
            _counters.Leave(path, problem.Status);
        }

        IHttpResponseFeature response = context.Get<IHttpResponseFeature>()!;
        if (path != ServedPath.Other)
        {
            response.Headers.Allow = allowed;
        }

        JsonOut output = JsonOut.Rent(_options.Compact);
        problem.WriteTo(output);
        await Delivery.WholeAsync(context, response, problem.Status, output);
    }
}
