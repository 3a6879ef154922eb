#:project ../src/FastLLM/FastLLM.csproj
#:project ../src/FastLLM.Simulator/FastLLM.Simulator.csproj
#:property PublishAot=false

// Implements a custom provider. The manager adds cache, sharing, limits, retries and progress.
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using FastLLM;
using FastLLM.Simulator;

await using var simulator = await SimulatorServer.StartAsync();
await using var manager = new RequestManager<string>(new Shout("no-key-needed", simulator.ApiBase), new RequestManagerOptions { Cache = new InMemoryCache() });

LlmRequest[] requests = [LlmRequest.FromPrompt("shout", "hello", "m"), LlmRequest.FromPrompt("shout", "good bye", "m"), LlmRequest.FromPrompt("shout", "hello", "m")];
foreach (ResponseWrapper<string> outcome in await manager.ProcessBatchAsync(requests))
{
    Console.WriteLine($"{(outcome.IsShared ? "shared" : "sent")}: {(outcome.IsSuccess ? outcome.Response : outcome.Error!.Message)}");
}

internal sealed class Shout(string apiKey, string apiBase) : Provider<string>(apiKey, apiBase)
{
    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string> { ["Authorization"] = $"Bearer {ApiKey}" };

    public override async Task<string> MakeRequestAsync(HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        string prompt = JsonEncodedText.Encode(request.Messages[^1].Content!.ToString()).ToString();
        using var message = new HttpRequestMessage(HttpMethod.Post, $"{ApiBase}/chat/completions");
        message.Content = new StringContent($$"""{"model":"{{request.Model}}","messages":[{"role":"user","content":"{{prompt}}"}]}""", Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        foreach ((string name, string value) in GetRequestHeaders())
        {
            message.Headers.Add(name, value);
        }

        using HttpResponseMessage response = await client.SendAsync(message, cancellationToken);
        Observe(response.Headers);
        string body = await response.Content.ReadAsStringAsync(cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            throw LlmException.From(response, body);
        }

        using JsonDocument json = JsonDocument.Parse(body);
        return json.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!.ToUpperInvariant();
    }
}
