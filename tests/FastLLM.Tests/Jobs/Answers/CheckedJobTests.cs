using System.Text.Json;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs.Answers;

/// <summary>A job whose answers have a form: columns, corrections, named failures, and nothing paid twice.</summary>
public sealed class CheckedJobTests : EngineTest, IDisposable
{
    private static readonly PriceTable s_prices = PriceTable.Create(new Dictionary<string, ModelPrice>
    {
        ["m"] = new() { Input = 0.001m, Output = 0.001m, MaxOutputTokens = 10 },
    });

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
    private readonly List<string> _notices = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Labels_FillAColumn_AndTheDistributionIsCounted()
    {
        await using FaultServer server = Serve((first, text) => first == "three" && text != first ? "still hard" : text switch
        {
            "one" => """{"label":"good"}""",
            "two" => "Bad.",
            "three" => "hard to say",
            _ => "good",
        });
        Write("in.csv", "text,label\none,a\ntwo,b\nthree,c\nfour,d\n");

        JobResult result = await RunAsync(server, "out.csv", AnswerForm.OfLabels("good", "bad", "mixed"));

        Assert.Equal((3L, 1L, 5L, 1L), (result.Answered, result.Failed, result.Stats.Sent, result.Stats.Corrected));
        string[] lines = Read("out.csv").TrimEnd().Split('\n');
        Assert.Equal("text,label,llm_label,answer,finish_reason,error,prompt_tokens,completion_tokens,cost", lines[0]);
        Assert.StartsWith("one,a,good,", lines[1], StringComparison.Ordinal);
        Assert.StartsWith("two,b,bad,Bad.,stop,", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("three,c,,,,\"invalid_answer: The corrected answer is not valid either", lines[3], StringComparison.Ordinal);
        Assert.Equal((3L, "label"), (result.Distribution!.Answers, result.Distribution.Fields.Single().Name));
        Assert.Equal([new("good", 2), new("bad", 1)], result.Distribution.Fields[0].Values);
        Assert.Equal(3, result.Distribution.FinishReasons["stop"]);
        Assert.Equal(FailureKind.InvalidAnswer, result.Failures.Single().Key);
        using JsonDocument failed = JsonDocument.Parse(Read("out.csv.log.jsonl").Split('\n').Single(line => line.Contains("invalid_answer", StringComparison.Ordinal)));
        JsonElement own = failed.RootElement.GetProperty("fastllm");
        Assert.Equal(["hard to say", "still hard"], own.GetProperty("answers").EnumerateArray().Select(text => text.GetString()));
        Assert.Equal((2, 0.014m), (own.GetProperty("attempts").GetInt32(), own.GetProperty("cost").GetDecimal()));
        Assert.Equal(5 * 0.007m, result.Cost);
    }

    [Fact]
    public async Task SecondRun_SendsNothing_WithTheOutputAndWithTheCacheAlone()
    {
        await using FaultServer server = Serve(text => text.StartsWith("Your", StringComparison.Ordinal) ? "good" : text == "two" ? "never" : "?");
        Write("in.csv", "text\none\ntwo\n");
        var cache = new InMemoryCache();
        AnswerForm form = AnswerForm.OfLabels("good", "bad");
        JobResult first = await RunAsync(server, "out.csv", form, o => o.Cache = cache);
        string table = Read("out.csv");
        Assert.Equal((2L, 4), (first.Answered, server.Requests.Count));

        JobResult resumed = await RunAsync(server, "out.csv", form, o => o.Cache = cache);
        Assert.Equal((2L, 2L, 4), (resumed.Kept, resumed.Distribution!.Answers, server.Requests.Count));
        Assert.Equal(table, Read("out.csv"));

        JobResult fresh = await RunAsync(server, "again.csv", form, o => o.Cache = cache);
        Assert.Equal((2L, 2L, 4), (fresh.Answered, fresh.Stats.CacheHits, server.Requests.Count));
        Assert.Equal(Columns(table, 3), Columns(Read("again.csv"), 3));

        // A plan sees what the run would send: nothing.
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o => o.Cache = cache));
        JobPlan plan = await Job.PlanAsync(manager, Options("plan.csv", form), Ended);
        Assert.Equal((0L, 2L), (plan.ToSend, plan.Cached));
    }

    [Fact]
    public async Task WithoutACache_TheResumeAndEqualRowsSendNothingMore()
    {
        await using FaultServer server = Serve(text => text.StartsWith("Your", StringComparison.Ordinal) ? "good" : "?");
        Write("in.csv", "text\none\none\none\n");
        AnswerForm form = AnswerForm.OfLabels("good", "bad");

        JobResult result = await RunAsync(server, "out.csv", form, o => (o.Cache, o.Concurrency) = (null, 1));

        Assert.Equal((3L, 2L, 2), (result.Answered, result.Stats.Shared, server.Requests.Count));
        Assert.Equal((3L, 2), ((await RunAsync(server, "out.csv", form, o => o.Cache = null)).Kept, server.Requests.Count));
    }

    [Fact]
    public async Task Schema_TravelsWithTheRequest_AndItsPropertiesAreColumns()
    {
        await using FaultServer server = Serve(_ => """{"topic":"price","score":4.50,"tags":["a","b"]}""");
        Write("in.csv", "text\none\n");

        await RunAsync(server, "out.csv", AnswerForm.OfFields("topic:string,score:number,tags:string[]"));

        Assert.Equal("text,topic,score,tags", string.Join(',', Read("out.csv").Split('\n')[0].Split(',')[..4]));
        Assert.StartsWith("one,price,4.50,\"[\"\"a\"\",\"\"b\"\"]\",", Read("out.csv").Split('\n')[1], StringComparison.Ordinal);
        using JsonDocument body = JsonDocument.Parse(server.Requests.Single().Text);
        Assert.Equal("json_schema", body.RootElement.GetProperty("response_format").GetProperty("type").GetString());
    }

    [Fact]
    public async Task InPrompt_DescribesTheLabelsInTheSystemMessage()
    {
        await using FaultServer server = Serve(_ => "good");
        Write("in.csv", "text\none\n");

        await RunAsync(server, "out.csv", AnswerForm.OfLabels("good", "bad").InPrompt());

        using JsonDocument body = JsonDocument.Parse(server.Requests.Single().Text);
        Assert.False(body.RootElement.TryGetProperty("response_format", out _));
        JsonElement system = body.RootElement.GetProperty("messages")[0];
        Assert.Equal(
            ("system", "Answer with exactly one of these labels and nothing else: good, bad."),
            (system.GetProperty("role").GetString(), system.GetProperty("content").GetString()));
    }

    [Fact]
    public async Task RowsThatAreRequests_AreSentAsTheyAre_AndChecked()
    {
        const string Row = """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"one"}]}}""";
        await using FaultServer server = Serve(text => text.StartsWith("Your", StringComparison.Ordinal) ? "good" : "?");
        Write("in.jsonl", Row + "\n");
        var options = Options("out.jsonl", AnswerForm.OfLabels("good", "bad"));
        (options.Input, options.Template) = (PathOf("in.jsonl"), null);
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick());

        JobResult result = await Job.RunAsync(manager, options, Ended, Ended);

        Assert.Equal((1L, 2), (result.Answered, server.Requests.Count));
        Assert.Contains(server.Requests, request => request.Text == """{"model":"m","messages":[{"role":"user","content":"one"}]}""");
        Assert.Contains("\"corrected\":true", Read("out.jsonl"), StringComparison.Ordinal);
        Assert.Contains(_notices, notice => notice.Contains("sent as they are", StringComparison.Ordinal));
    }

    private static FaultServer Serve(Func<string, string> answer) => Serve((_, last) => answer(last));

    // The script gets the first and the last message.
    private static FaultServer Serve(Func<string, string, string> answer) => FaultServer.Start((request, connection) =>
    {
        using JsonDocument body = JsonDocument.Parse(request.Text);
        string[] turns = [.. body.RootElement.GetProperty("messages").EnumerateArray().Select(turn => turn.GetProperty("content").GetString()!)];
        return connection.RespondAsync(200, FastLLM.Tests.Checks.ScriptedAnswers.Completion(answer(turns[0], turns[^1])).RawBody);
    });

    private static string[] Columns(string table, int count) => [.. table.Split('\n').Select(line => string.Join(',', line.Split(',').Take(count)))];

    private JobOptions Options(string output, AnswerForm form) => new()
    {
        Input = PathOf("in.csv"),
        Output = PathOf(output),
        Template = new RowTemplate { Prompt = "{{text}}" },
        Model = "m",
        Answers = form,
        OnNotice = _notices.Add,
    };

    private async Task<JobResult> RunAsync(FaultServer server, string output, AnswerForm form, Action<RequestManagerOptions>? sending = null)
    {
        await using var manager = new RequestManager(new OpenAIProvider("", server.ApiBase), Quick(o =>
        {
            o.Prices = s_prices;
            sending?.Invoke(o);
        }));
        return await Job.RunAsync(manager, Options(output, form), cancellationToken: Ended);
    }

    private string PathOf(string name) => Path.Combine(_folder, name);

    private void Write(string name, string text) => File.WriteAllText(PathOf(name), text);

    private string Read(string name) => File.ReadAllText(PathOf(name));
}
