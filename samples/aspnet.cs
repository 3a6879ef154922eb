#:sdk Microsoft.NET.Sdk.Web
#:project ../src/FastLLM.Extensions.AI/FastLLM.Extensions.AI.csproj
#:project ../src/FastLLM.Simulator/FastLLM.Simulator.csproj
#:property PublishAot=false

// A web API in front of a model: ask, embed, health, and a summary of what was sent.
//
//     dotnet run samples/aspnet.cs
//     curl 'http://localhost:5000/ask?question=How+are+you'
//
// Without FastLLM:ApiKey in the configuration (an environment variable: FastLLM__ApiKey), it uses a simulated provider.
using FastLLM;
using FastLLM.Simulator;
using Microsoft.Extensions.AI;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
{
    ["FastLLM:ChatModel"] = "gpt-4o-mini",
    ["FastLLM:EmbeddingModel"] = "text-embedding-3-small",
    ["FastLLM:Concurrency"] = "200",
    ["FastLLM:MaxWait"] = "00:00:30",
    ["FastLLM:Cache:InMemory"] = "true",
});
builder.Configuration.AddEnvironmentVariables();

FastLLMBuilder client = builder.Services.AddFastLLM(builder.Configuration.GetSection("FastLLM"));
SimulatorServer? simulator = null;
if (string.IsNullOrEmpty(builder.Configuration["FastLLM:ApiKey"]))
{
    simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(100), LatencySigma = 0.3 });
    client.UseOpenAI("no-key-needed", simulator.ApiBase);
}

builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.Services.AddHealthChecks().AddFastLLM(tags: ["ready"]);

WebApplication app = builder.Build();
app.MapHealthChecks("/health");
app.MapGet("/ask", async (string question, IChatClient chat, CancellationToken cancellationToken) =>
{
    try
    {
        return Results.Text((await chat.GetResponseAsync(question, cancellationToken: cancellationToken)).Text);
    }
    catch (LlmException e)
    {
        // The provider's message may hold parts of prompts; its kind is enough for the caller.
        return Results.Problem(e.Kind.ToString(), statusCode: StatusCodes.Status503ServiceUnavailable);
    }
});
app.MapGet("/embed", async (string text, IEmbeddingGenerator<string, Embedding<float>> embeddings, CancellationToken cancellationToken) =>
    (await embeddings.GenerateVectorAsync(text, cancellationToken: cancellationToken)).Length);
app.MapGet("/stats", (RequestManager manager) =>
    new { manager.Stats.RequestsCompleted, manager.Stats.Sent, manager.Stats.Shared, manager.Stats.CacheHits, manager.Stats.Failed });

await app.RunAsync();
if (simulator is not null)
{
    await simulator.DisposeAsync();
}
