using System.Text;
using FastLLM.Cluster.Chunks;
using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Cluster;

public sealed class ChunkTests
{
    [Fact]
    public void Read_WrittenRows_AreEqual()
    {
        var writer = new ChunkWriter();
        writer.Add(Row("a", """{"model":"m"}""", sample: 3, metadata: """{"n":1}"""));
        writer.Add(Row("ü\n", null, error: "broken"));
        writer.Add(Row("c", """{"input":"x"}""", endpoint: "/embeddings"));

        ChunkRow[] rows = ChunkReader.Read(writer.Take());

        Assert.Equal(["a", "ü\n", "c"], rows.Select(row => row.Id));
        Assert.Equal([null, "broken", null], rows.Select(row => row.Error));
        Assert.Equal((3, """{"model":"m"}""", """{"n":1}"""), (rows[0].Sample, Text(rows[0].Body), Text(rows[0].Metadata)));
        Assert.Equal(("/embeddings", """{"input":"x"}""", ""), (rows[2].Endpoint, Text(rows[2].Body), Text(rows[2].Metadata)));
        Assert.Equal(Request("""{"model":"m"}""", 3).Key, rows[0].ToRequest().Key);
        Assert.Equal(0, writer.Rows);
    }

    [Fact]
    public void IsFullFor_500RowsOr2Megabytes_IsTrue()
    {
        var writer = new ChunkWriter();
        PlannedRow small = Row("a", "{}");
        for (var i = 0; i < 500; i++)
        {
            Assert.False(writer.IsFullFor(small));
            writer.Add(small);
        }

        Assert.True(writer.IsFullFor(small));
        writer.Take();
        PlannedRow large = Row("a", $$"""{"model":"{{new string('x', 1_500_000)}}"}""");
        Assert.False(writer.IsFullFor(large));
        writer.Add(large);
        Assert.False(writer.IsFullFor(small));
        Assert.True(writer.IsFullFor(large));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public void Read_DamagedBytes_Throws(int keep)
    {
        var writer = new ChunkWriter();
        writer.Add(Row("a", """{"model":"m"}"""));
        byte[] packed = writer.Take();

        Assert.Throws<InvalidDataException>(() => ChunkReader.Read(packed[..keep]));
    }

    private static PlannedRow Row(
        string id, string? body, int sample = 0, string metadata = "", string? error = null, string endpoint = "/chat/completions") =>
        new(0, id, Encoding.UTF8.GetBytes(metadata), body is null ? null : Request(body, sample, endpoint), error, RowIndex.NoRecord, true);

    private static LlmRequest Request(string body, int sample = 0, string endpoint = "/chat/completions") =>
        LlmRequest.FromBody(endpoint, Encoding.UTF8.GetBytes(body), sample: sample);

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
