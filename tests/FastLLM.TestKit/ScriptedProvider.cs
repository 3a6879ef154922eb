using System.Collections.Concurrent;

namespace FastLLM.TestKit;

/// <summary>A provider without a network: a script says what becomes of each send, and every send is counted.</summary>
/// <param name="script">Gets the request, how often its key has been sent (from 1), and the token that ends the send.</param>
public sealed class ScriptedProvider(Func<LlmRequest, int, CancellationToken, Task<string>> script, string apiBase = "http://scripted.test/v1")
    : Provider<string>("", apiBase)
{
    private readonly ConcurrentDictionary<RequestKey, int> _sends = new();
    private int _total;
    private int _inFlight;
    private int _peak;

    /// <summary>A provider that answers at once with the request's key.</summary>
    public static ScriptedProvider Echo() => new((request, _, _) => Task.FromResult(AnswerTo(request)));

    /// <summary>The echo's answer.</summary>
    public static string AnswerTo(LlmRequest request) => $"answer to {request.Key}";

    /// <summary>All sends so far.</summary>
    public int Sends => Volatile.Read(ref _total);

    /// <summary>The most sends that were under way at once.</summary>
    public int PeakInFlight => Volatile.Read(ref _peak);

    /// <summary>Sends that are under way.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>How often each key was sent.</summary>
    public IReadOnlyDictionary<RequestKey, int> SendsByKey => _sends;

    /// <summary>The timeouts that the manager allowed, send by send.</summary>
    public ConcurrentQueue<TimeSpan> Timeouts { get; } = new();

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

    /// <inheritdoc/>
    public override async Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _total);
        Timeouts.Enqueue(timeout);
        int nth = _sends.AddOrUpdate(request.Key, 1, static (_, count) => count + 1);
        int now = Interlocked.Increment(ref _inFlight);
        int peak;
        while ((peak = Volatile.Read(ref _peak)) < now && Interlocked.CompareExchange(ref _peak, now, peak) != peak)
        {
            // Somebody else raised the peak meanwhile.
        }

        try
        {
            return await script(request, nth, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }
}
