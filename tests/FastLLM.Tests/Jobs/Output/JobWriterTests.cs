using System.Text;
using System.Text.Json;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using FastLLM.Retries;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

/// <summary>Outcomes become records of their rows, unless the next run has to send the row again.</summary>
public sealed class JobWriterTests
{
    private static readonly RequestKey s_key = RequestKey.Compute("/v1/embeddings", "{}"u8);

    private readonly ListSink _sink = new();
    private readonly List<string> _failed = [];
    private readonly JobWriter _writer;

    public JobWriterTests()
    {
        var options = new JobOptions { Input = "in", Output = "out", OnRowFailed = (id, _) => _failed.Add(id) };
        _writer = new JobWriter(_sink, new OutputRecord(withOwnMember: true), options);
    }

    [Fact]
    public void Write_Outcomes_BelongToTheirRows()
    {
        _writer.Expect(Row(7, "a"));
        _writer.Expect(Row(8, "b"));

        decimal none = _writer.Write(new ResponseWrapper<LlmResponse>(new LlmException(FailureKind.InvalidRequest, "no"), s_key, 1));
        decimal cost = _writer.Write(new ResponseWrapper<LlmResponse>(Answer("length"), s_key, 0, usage: null) { Cost = 0.5m });

        Assert.Equal([(8, "b"), (7, "a")], _sink.Records.Select(record => (record.Place, IdOf(record.Line))));
        Assert.Equal((0, 0.5m), (none, cost));
        Assert.Equal((1L, 1L), (_writer.Counts.Answered, _writer.Counts.Failed));
        Assert.Equal(1, _writer.Counts.FinishReasons["length"]);
        Assert.Equal((1L, "no"), _writer.Counts.Failures[FailureKind.InvalidRequest]);
        Assert.Equal(["b"], _failed);
    }

    [Fact]
    public void Count_CountsOnlyWrittenRows()
    {
        for (var i = 0; i < 5; i++)
        {
            _writer.Expect(Row(i, $"{i}"));
        }

        _writer.Write(new ResponseWrapper<LlmResponse>(Answer("stop"), s_key, 0, usage: null));
        _writer.Write(new ResponseWrapper<LlmResponse>(Answer("stop"), s_key, 1, usage: null) { IsShared = true });
        _writer.Write(new ResponseWrapper<LlmResponse>(new LlmException(FailureKind.InvalidRequest, "no"), s_key, 2) { IsShared = true });
        _writer.Write(new ResponseWrapper<LlmResponse>(LlmException.OfRun(FailureKind.Authentication, "no"), s_key, 3));
        TokenStats stats = _writer.Count(new TokenStats { RequestsCompleted = 5, Failed = 2, Shared = 3, CacheHits = 1, Sent = 7 });

        Assert.Equal((3L, 1L, 1L, 0L, 7L), (stats.RequestsCompleted, stats.Failed, stats.Shared, stats.CacheHits, stats.Sent));
    }

    [Theory]
    [InlineData(FailureKind.NotSent)]
    [InlineData(FailureKind.Canceled)]
    [InlineData(FailureKind.BudgetExhausted)]
    public void Write_FailureOfTheRun_LeavesTheRowPending(FailureKind kind)
    {
        _writer.Expect(Row(0, "a"));

        _writer.Write(new ResponseWrapper<LlmResponse>(new LlmException(kind, "later"), s_key, 0));

        Assert.Empty(_sink.Records);
        Assert.Equal((0L, 0L), (_writer.Counts.Answered, _writer.Counts.Failed));
    }

    [Fact]
    public void WriteInvalid_CountsAFailure()
    {
        _writer.WriteInvalid(Row(3, "(line 4)") with { Error = "broken" });

        Assert.Equal((3, "(line 4)"), (_sink.Records[0].Place, IdOf(_sink.Records[0].Line)));
        Assert.Equal((1L, "broken"), _writer.Counts.Failures[FailureKind.InvalidRequest]);
        Assert.Equal(["(line 4)"], _failed);
    }

    private static PlannedRow Row(int place, string id) => new(place, id, default, null, null, RowIndex.NoRecord, IsWithinLimit: true);

    private static LlmResponse Answer(string reason) =>
        LlmResponse.FromBody(Encoding.UTF8.GetBytes($$"""{"choices":[{"message":{"content":"x"},"finish_reason":"{{reason}}"}]}"""));

    private static string IdOf(string line) => JsonDocument.Parse(line).RootElement.GetProperty("custom_id").GetString()!;

    private sealed class ListSink : RowSink
    {
        public List<(int Place, string Line)> Records { get; } = [];

        public override void Write(int place, ReadOnlySpan<byte> record) => Records.Add((place, Encoding.UTF8.GetString(record)));
    }
}
