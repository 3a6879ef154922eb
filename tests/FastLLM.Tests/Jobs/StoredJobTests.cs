using System.Text;
using System.Text.Json;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>Jobs that version 0.1 recorded are resumed, and their records stay byte for byte.</summary>
public sealed class StoredJobTests : EngineTest, IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
    private readonly List<string> _notices = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task KilledJob_IsResumed_AndKeepsItsRecords()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer));
        string input = Restore("job-input.jsonl", "in.jsonl");
        string output = Restore("job-output.jsonl", "out.jsonl");
        string journal = Restore("job-output.spent", "out.jsonl.spent");
        string[] stored = File.ReadAllLines(output); // five records, and a torn one
        JobOptions options = Options(input, output);

        await using RequestManager manager = Manager(server.ApiBase, o => o.Budget = 1);
        JobResult result = await Job.RunAsync(manager, options, CancellationToken.None, Ended);

        string[] lines = File.ReadAllLines(output);
        Assert.Equal(["row-0", "row-1", "vector", "row-3", "(line 5)", "row-5", "row-6", "row-7"], lines.Select(IdOf));
        Assert.Equal([stored[1], stored[0], stored[4], stored[3], stored[2]], lines[..5]);
        Assert.Equal((5L, 3L, 1L, 3), (result.Kept, result.Answered, result.Failed, server.Requests.Count));
        Assert.Equal(stored[5], File.ReadAllText(output + ".torn"));
        Assert.Equal(0.000056m + result.Cost, result.JobCost);
        Assert.Contains(_notices, notice => notice.Contains("$0.00092 were in flight", StringComparison.Ordinal));
        Assert.False(File.Exists(journal));

        byte[] finished = File.ReadAllBytes(output);
        JobResult again = await Job.RunAsync(manager, options, CancellationToken.None, Ended);

        Assert.Equal((8L, 3), (again.Kept, server.Requests.Count));
        Assert.Equal(finished, File.ReadAllBytes(output));
    }

    [Fact]
    public async Task FinishedTable_IsMadeAgainFromItsLog()
    {
        string input = Restore("table-input.csv", "in.csv");
        Restore("table-log.jsonl", "out.csv.log.jsonl");
        string output = Path.Combine(_folder, "out.csv");
        JobOptions options = Options(input, output);
        options.Template = new RowTemplate { Prompt = "Say {{text}}", IdColumn = "id" };
        options.Model = "m";

        await using RequestManager manager = Manager("http://127.0.0.1:1/v1");
        JobResult result = await Job.RunAsync(manager, options, CancellationToken.None, Ended);

        Assert.Equal((4L, 0L, 1L), (result.Kept, result.Answered, result.Failed));

        // An apostrophe stood before the user's own cells then.
        Assert.Equal(Encoding.UTF8.GetString(Stored("table-output.csv")).Replace("'=three", "=three", StringComparison.Ordinal), File.ReadAllText(output));
        Assert.Equal(Stored("table-log.jsonl"), File.ReadAllBytes(output + ".log.jsonl"));
    }

    private static readonly byte[] Answer =
        """{"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]}"""u8.ToArray();

    private static string IdOf(string line) => JsonDocument.Parse(line).RootElement.GetProperty("custom_id").GetString()!;

    private static byte[] Stored(string name)
    {
        using Stream stored = typeof(StoredJobTests).Assembly.GetManifestResourceStream(name)!;
        using var bytes = new MemoryStream();
        stored.CopyTo(bytes);
        return bytes.ToArray();
    }

    private string Restore(string stored, string name)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, Stored(stored));
        return path;
    }

    private JobOptions Options(string input, string output) => new() { Input = input, Output = output, SkipInvalid = true, OnNotice = _notices.Add };

    private static RequestManager Manager(string apiBase, Action<RequestManagerOptions>? change = null) => new(new OpenAIProvider("", apiBase), Quick(o =>
    {
        o.Prices = PriceTable.Create(new Dictionary<string, ModelPrice>
        {
            ["m"] = new() { Input = 0.000001m, Output = 0.000002m },
            ["e"] = new() { Input = 0.000001m, Output = 0 },
        });
        change?.Invoke(o);
    }));
}
