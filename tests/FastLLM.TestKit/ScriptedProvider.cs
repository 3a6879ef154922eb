using System.Collections.Concurrent;

namespace FastLLM.TestKit;

/// <summary>A provider without a network: a script says what becomes of each send, and every send is counted.</summary>
/// <param name="script">Gets the request, how often its key has been sent (from 1), and the token that ends the send.</param>
public sealed class ScriptedProvider(Func<LlmRequest, int, CancellationToken, Task<string>> script, string apiBase = "http://scripted.test/v1")
    : Provider<string>("", apiBase)
{
    private readonly ConcurrentDictionary<RequestKey, int> _sends = new();
    private readonly Gauge _total = new();
    private readonly Gauge _inFlight = new();

    /// <summary>A provider that answers at once with the request's key.</summary>
    public static ScriptedProvider Echo() => new((request, _, _) => Task.FromResult(AnswerTo(request)));

    /// <summary>The echo's answer.</summary>
    public static string AnswerTo(LlmRequest request) => $"answer to {request.Key}";

    /// <summary>All sends so far.</summary>
    public int Sends => _total.Value;

    /// <summary>The most sends that were under way at once.</summary>
    public int PeakInFlight => _inFlight.Peak;

    /// <summary>Sends that are under way.</summary>
    public int InFlight => _inFlight.Value;

    /// <summary>How often each key was sent.</summary>
    public IReadOnlyDictionary<RequestKey, int> SendsByKey => _sends;

    /// <summary>The timeouts that the manager allowed, send by send.</summary>
    public ConcurrentQueue<TimeSpan> Timeouts { get; } = new();

    /// <summary>Completes when at least <paramref name="count"/> sends have begun since the provider was made.</summary>
    public Task WaitForSendsAsync(int count, CancellationToken cancellationToken = default) => _total.WaitForAsync(count, cancellationToken);

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

    /// <inheritdoc/>
    public override async Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Timeouts.Enqueue(timeout);
        int nth = _sends.AddOrUpdate(request.Key, 1, static (_, count) => count + 1);
        _inFlight.Add(1);
        _total.Add(1);
        try
        {
            return await script(request, nth, cancellationToken);
        }
        finally
        {
            _inFlight.Add(-1);
        }
    }
}
