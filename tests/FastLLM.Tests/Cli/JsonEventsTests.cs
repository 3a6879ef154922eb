using System.Text;
using System.Text.Json;
using FastLLM.Cli;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class JsonEventsTests : IDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly MemoryStream _written = new();

    public void Dispose() => _written.Dispose();

    [Fact]
    public void EveryEvent_IsOneLine_WithNameAndTime()
    {
        var events = new JsonEvents(_written, _time);
        events.Start("in.jsonl", "out.jsonl", "http://127.0.0.1:1/v1", 10, 2);
        events.Progress(new TokenStats { RequestsCompleted = 3, Failed = 1 }, 8);
        events.RowFailed("a\u001b\n", new LlmException(FailureKind.InvalidRequest, "no\u009b") { StatusCode = 400 });
        events.Notice("watch");
        events.Done(1, new Summary(Result, ResumeCommand: "again"));
        events.Error(2, "wrong");

        JsonElement[] lines = Lines();
        Assert.Equal(["start", "progress", "row_failed", "notice", "done", "error"], lines.Select(line => line.GetProperty("event").GetString()));
        Assert.All(lines, line => Assert.Equal("2026-01-01T00:00:00.000Z", line.GetProperty("time").GetString()));
        Assert.Equal(10, lines[0].GetProperty("rows").GetInt64());
        Assert.Equal((8, 2), (lines[1].GetProperty("total").GetInt64(), lines[1].GetProperty("ok").GetInt64()));
        Assert.Equal("a\u001b\n", lines[2].GetProperty("custom_id").GetString());
        Assert.Equal(("InvalidRequest", 400), (lines[2].GetProperty("kind").GetString(), lines[2].GetProperty("status").GetInt32()));
        Assert.Equal((1, 8, 7), (lines[4].GetProperty("exit_code").GetInt32(), lines[4].GetProperty("total").GetInt64(), lines[4].GetProperty("ok").GetInt64()));
        Assert.Equal("none", lines[1].GetProperty("limited_by").GetString());
        Assert.Equal("back_off", lines[4].GetProperty("limited_by").GetString());
        Assert.Equal("""{"back_off":75,"requests_per_minute":25}""", lines[4].GetProperty("limited_by_shares").GetRawText());
        Assert.False(lines[1].TryGetProperty("learned_limits", out _));
        Assert.Equal(
            """[{"model":"m","description":"about 50 requests/s, refuses 10 % at random","refused_at_random":0.1,"requests_per_second":50}]""",
            lines[4].GetProperty("learned_limits").GetRawText());
        Assert.Equal(1, lines[4].GetProperty("failures")[0].GetProperty("count").GetInt64());
        Assert.Equal("again", lines[4].GetProperty("resume").GetString());
        Assert.DoesNotContain(_written.ToArray(), b => b is (< 0x20 and not (byte)'\n') or > 0x7E);
    }

    [Fact]
    public void Progress_IsLimitedToOncePerSecond()
    {
        var events = new JsonEvents(_written, _time);
        for (var i = 0; i < 25; i++)
        {
            events.Report(new TokenStats());
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal(3, Lines().Length);
    }

    [Fact]
    public void ClosedPipe_DropsEvents()
    {
        var events = new JsonEvents(new ClosedPipe(), _time);
        events.Notice("x");
        events.Notice("y");

        Assert.True(events.IsClosed);
    }

    [Fact]
    public async Task Partial_BeginsWithStart_ThenItsNotices()
    {
        var events = new JsonEvents(_written, _time);
        var latest = new LatestRows(_time);
        await using var progress = new RunProgress(events, (_, _) => ProgressDisplay.None(), TextWriter.Null, TextWriter.Null) { Latest = latest };
        var job = new JobOptions { Input = "in.csv", Output = "out.csv" };
        var report = new RunReport(job, progress, events, TextWriter.Null, TextWriter.Null, "again");
        report.Observe(new RequestManagerOptions(), "https://api.example.com/v1", verbose: false);

        int exit = await report.WritePartialAsync(() =>
        {
            job.OnNotice!("early");
            return Task.FromResult(Result with { Pending = 8, IsPartial = true });
        });

        JsonElement[] lines = Lines();
        Assert.Equal(3, exit);
        Assert.Equal(["start", "notice", "notice", "done"], lines.Select(line => line.GetProperty("event").GetString()));
        Assert.Equal((10, 2), (lines[0].GetProperty("rows").GetInt64(), lines[0].GetProperty("kept").GetInt64()));
        Assert.False(lines[0].TryGetProperty("base_url", out _)); // nothing is sent
        Assert.Equal("early", lines[1].GetProperty("message").GetString());
        Assert.Equal("again", lines[3].GetProperty("resume").GetString());
    }

    [Fact]
    public async Task InterruptedBeforeTheRun_EndsWithError()
    {
        var events = new JsonEvents(_written, _time);
        await using var progress = new RunProgress(events, (_, _) => ProgressDisplay.None(), TextWriter.Null, TextWriter.Null) { Latest = new LatestRows(_time) };
        var report = new RunReport(new JobOptions { Input = "in.csv", Output = "out.csv" }, progress, events, TextWriter.Null, TextWriter.Null, "again");

        int exit = await report.CompleteAsync(() => throw new OperationCanceledException(), CancellationToken.None);

        JsonElement last = Assert.Single(Lines());
        Assert.Equal((130, 130), (exit, last.GetProperty("exit_code").GetInt32()));
        Assert.Equal("error", last.GetProperty("event").GetString());
        Assert.Equal("Interrupted before anything was sent.", last.GetProperty("message").GetString());
    }

    private static JobResult Result => new()
    {
        Rows = 10,
        Kept = 2,
        Failures = new Dictionary<FailureKind, (long, string)> { [FailureKind.InvalidRequest] = (1, "no") },
        Stats = new TokenStats
        {
            RequestsCompleted = 8,
            Failed = 1,
            ElapsedTime = TimeSpan.FromSeconds(1.5),
            LimitedBy = Bottleneck.BackOff,
            LimitedByShares = new Dictionary<Bottleneck, double> { [Bottleneck.BackOff] = 0.75, [Bottleneck.RequestsPerMinute] = 0.25 },
            LearnedLimits = [new LearnedLimits { Model = "m", RefusedAtRandom = 0.10004, RequestsPerSecond = 49.9996 }],
        },
    };

    private JsonElement[] Lines() =>
        [.. Encoding.UTF8.GetString(_written.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

    private sealed class ClosedPipe : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("Broken pipe");
    }
}
