using System.Text;

namespace FastLLM.Tests.ExtensionsAI;

/// <summary>A provider whose answers wait for a task each.</summary>
internal sealed class HeldProvider(Func<LlmRequest, Task> hold, Func<LlmRequest, string> script) : Provider<LlmResponse>("", "http://held.test/v1")
{
    private int _sends;

    public int Sends => Volatile.Read(ref _sends);

    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

    public override async Task<LlmResponse> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _sends);
        await hold(request);
        return LlmResponse.FromBody(Encoding.UTF8.GetBytes(script(request)));
    }
}
