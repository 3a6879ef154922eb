#:project ../src/FastLLM/FastLLM.csproj
#:project ../src/FastLLM.Simulator/FastLLM.Simulator.csproj
#:property PublishAot=false

// Sends every question of a JSONL file (one JSON object per line, with a member "question"):
//
//     dotnet run samples/questions.cs -- FILE [CONCURRENCY]
//
// If OPENAI_API_KEY is set, it uses OpenAI (or OPENAI_BASE_URL), otherwise a simulated provider that takes 200 ms per response.
using System.Diagnostics;
using System.Text.Json;
using FastLLM;
using FastLLM.Simulator;

if (args is not [string file, ..] || !File.Exists(file))
{
    Console.Error.WriteLine("Usage: dotnet run samples/questions.cs -- FILE [CONCURRENCY], where FILE is a JSONL file whose lines have a member \"question\".");
    return 2;
}

int concurrency = args.Length > 1 ? int.Parse(args[1]) : 200;
SimulatorServer? simulator = null;
if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("OPENAI_API_KEY")))
{
    simulator = await SimulatorServer.StartAsync(new SimulatorOptions { Latency = TimeSpan.FromMilliseconds(200) });
    Console.Error.WriteLine("OPENAI_API_KEY is not set: using the simulator.");
}

await using OptionalServer server = new(simulator);
OpenAIProvider provider = simulator is null ? OpenAIProvider.FromEnvironment() : new OpenAIProvider("", simulator.ApiBase);
string model = Environment.GetEnvironmentVariable("OPENAI_MODEL") ?? "gpt-4o-mini";
await using var manager = new RequestManager(provider, new RequestManagerOptions { Concurrency = concurrency, Cache = new InMemoryCache() });

string[] questions = [.. File.ReadLines(file).Where(line => line.Trim().Length > 0).Select(QuestionOf)];
var batch = new RequestBatch();
foreach (string question in questions)
{
    batch.Chat.Completions.Create(model, [Message.System("Answer with a number only."), question]);
}

long started = Stopwatch.GetTimestamp();
IReadOnlyList<ResponseWrapper<LlmResponse>> outcomes = await manager.ProcessBatchAsync(batch);
TimeSpan took = Stopwatch.GetElapsedTime(started);

int own = 0;
for (var i = 0; i < outcomes.Count; i++)
{
    string said = outcomes[i].IsSuccess ? ((ChatCompletion)outcomes[i].Response).Text ?? "" : $"failed: {outcomes[i].Error!.Message}";
    own += said.Contains(questions[i], StringComparison.Ordinal) ? 1 : 0;
    Console.WriteLine($"{i + 1}\t{said.ReplaceLineEndings(" ")}");
}

TokenStats stats = manager.Stats;
Console.Error.WriteLine($"{outcomes.Count} questions, {outcomes.Count(o => o.IsSuccess)} answered, {stats.Sent} sent, {took.TotalSeconds:0.00} s, {stats.TotalTokens:N0} tokens");
if (simulator is not null)
{
    // The simulator repeats the question in its response, so this checks that each row has its own.
    Console.Error.WriteLine($"{own} answers belong to their own question, {simulator.Stats.DistinctBodies} distinct requests seen, at most {simulator.Stats.PeakInFlight} in flight");
}

return outcomes.All(o => o.IsSuccess) ? 0 : 1;

static string QuestionOf(string line)
{
    using JsonDocument row = JsonDocument.Parse(line);
    return row.RootElement.GetProperty("question").GetString()!;
}

internal sealed class OptionalServer(SimulatorServer? server) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => server?.DisposeAsync() ?? default;
}
