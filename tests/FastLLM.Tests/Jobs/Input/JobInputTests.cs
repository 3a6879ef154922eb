using System.Text;
using FastLLM.Jobs.Input;
using Xunit;

namespace FastLLM.Tests.Jobs.Input;

/// <summary>The rows of an input, with their ids, samples and limit.</summary>
public sealed class JobInputTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;

    private string Input => Path.Combine(_folder, "in.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task ReadAsync_Samples_HaveIdsAndKeys()
    {
        Write(Line("a", "1"), Line("b", "2"), "{broken");

        List<JobRow> rows = await ReadAsync(o => (o.Samples, o.Limit) = (2, 1));

        Assert.Equal(["a#0", "a#1", "b#0", "b#1", "(line 3)"], rows.Select(row => row.Id));
        Assert.Equal([true, true, false, false, false], rows.Select(row => row.IsWithinLimit));
        Assert.Equal(5, rows.Select(row => row.Key).Distinct().Count());
        Assert.Null(rows[^1].Request);
    }

    [Fact]
    public async Task ReadAsync_NoDedup_GivesEqualRowsTheirOwnSamples()
    {
        Write(Line("a", "1"), Line("b", "2"), Line("c", "1"), Line("d", "1"));

        Assert.Equal([0, 0, 0, 0], (await ReadAsync()).Select(row => row.Request!.Sample));
        Assert.Equal([0, 0, 1, 2], (await ReadAsync(o => o.NoDedup = true)).Select(row => row.Request!.Sample));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReadAsync_LargeRows_AreWhole(bool reusesRows)
    {
        int[] sizes = [2_000_000, 10, 3_000_000, 2_500_000, 1_100_000];
        Write([.. sizes.Select((size, i) => Line($"{i}", new string((char)('a' + i), size)))]);
        var input = new JobInput(new JobOptions { Input = Input, Output = "out" });
        for (var pass = 0; pass < 2; pass++)
        {
            var i = 0;
            var kept = new List<LlmRequest>();
            await foreach (JobRow row in input.ReadAsync(reusesRows, see: null, TestContext.Current.CancellationToken))
            {
                Assert.Equal(Body(new string((char)('a' + i), sizes[i])), Encoding.UTF8.GetString(row.Request!.Body.Span));
                kept.Add(row.Request);
                i++;
            }

            Assert.Equal(sizes.Length, i);
            Assert.True(reusesRows || kept.Select((request, at) => request.Body.Span.IndexOf((byte)('a' + at)) > 0).All(whole => whole));
        }
    }

    [Fact]
    public async Task FindDuplicatesAsync_NamesBothLines()
    {
        Write(Line("a", "1"), Line("b", "2"), Line("a", "3"), Line("a", "4"));
        var check = new InputCheck();

        var input = new JobInput(new JobOptions { Input = Input, Output = "out" });
        await input.FindDuplicatesAsync(new HashSet<ulong> { FastLLM.Jobs.Planning.RowIndex.Fingerprint("a") }, check, TestContext.Current.CancellationToken);

        Assert.Equal([3L, 4L], check.Errors.Select(error => error.Line));
        Assert.All(check.Errors, error => Assert.Contains("line 1", error.Error, StringComparison.Ordinal));
    }

    private static string Body(string question) => $$"""{"model":"m","input":"{{question}}"}""";

    private static string Line(string id, string question) => $$"""{"custom_id":"{{id}}","method":"POST","url":"/v1/embeddings","body":{{Body(question)}}}""";

    private void Write(params string[] lines) => File.WriteAllLines(Input, lines);

    private async Task<List<JobRow>> ReadAsync(Action<JobOptions>? change = null)
    {
        var options = new JobOptions { Input = Input, Output = "out" };
        change?.Invoke(options);
        List<JobRow> rows = [];
        await foreach (JobRow row in new JobInput(options).ReadAsync(reusesRows: false, see: null, TestContext.Current.CancellationToken))
        {
            rows.Add(row);
        }

        return rows;
    }
}
