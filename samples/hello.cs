#:project ../src/FastLLM/FastLLM.csproj
#:project ../src/FastLLM.Simulator/FastLLM.Simulator.csproj
#:property PublishAot=false

// Sends ten questions to a simulated provider: no API key, no network, no cost.
using FastLLM;
using FastLLM.Simulator;

await using var simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200) });
await using var manager = new RequestManager(
    new OpenAIProvider("no-key-needed", simulator.ApiBase),
    new RequestManagerOptions { Concurrency = 100, Cache = new InMemoryCache() });

var batch = new RequestBatch();
for (var i = 1; i <= 10; i++)
{
    batch.Chat.Completions.Create(model: "m", messages: [Message.System("Be brief."), $"What is {i} times {i}?"]);
}

foreach (ResponseWrapper<LlmResponse> outcome in await manager.ProcessBatchAsync(batch))
{
    Console.WriteLine(outcome.Response is ChatCompletion chat ? chat.Text : outcome.Error?.Message);
}
