using FastLLM.Caching;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Jobs.Planning;

/// <summary>Which record of a row is kept, whether the row is known before the output is read (a file) or afterwards (a pipe).</summary>
public sealed class ResumeStateTests : IDisposable
{
    private const string Body = """{"model":"m","input":"?"}""";

    private static readonly RequestKey s_key = RequestKey.Compute("/v1/embeddings", System.Text.Encoding.UTF8.GetBytes(Body));
    private static readonly RequestKey s_other = RequestKey.Compute("/v1/embeddings", "{}"u8);

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;

    private string Input => Path.Combine(_folder, "in.jsonl");

    private string Log => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The records of a row, whether failed rows are sent again, the number of the record that is kept (−1: none), a notice about it.</summary>
    public static TheoryData<string[], bool, int, string> Records => new()
    {
        { [Success(s_key)], false, 0, "" },
        { [Success(s_key), Success(s_key)], false, 1, "" },
        { [Success(s_key), Failure(s_key)], false, 1, "" },
        { [Success(s_key), Failure(s_key)], true, -1, "" },
        { [Failure(s_key), Success(s_key)], true, 1, "" },
        { [Failure(s_key), Failure(s_key)], false, 1, "" },
        { [Success(s_other)], false, -1, "another request now" },
        { [Success(default(RequestKey))], false, -1, "another request now" },
        { [Success(null)], false, 0, "by id alone" },
        { [Success(s_key, "length")], false, -1, "--refresh" },
        { [Success(s_key), Success(s_key, "length")], false, -1, "--refresh" },
        { [Success(s_key, "length"), Success(s_key)], false, 1, "" },
        { ["nonsense", Success(s_key)], false, 1, "" },
        { [Success(s_other)], false, -1, "1 records of LOG (1 answers) belong to earlier requests" },
        { [Success(s_other), Failure(s_other), Success(s_key)], false, 2, "2 records of LOG (1 answers) belong to earlier requests" },
        { [Success(s_key, id: "other")], false, -1, "belong to no row" },
        { [Simulated(s_key)], false, -1, "1 answers in LOG are made up by the simulator; their rows are sent again" },
        { [Success(s_key), Simulated(s_key)], false, 0, "" },
    };

    [Theory]
    [MemberData(nameof(Records), DisableDiscoveryEnumeration = true)]
    public async Task Read_RowsOfAFile_KeepsTheLastGoodRecord(string[] records, bool retryFailed, int kept, string notice)
    {
        InputIndex index = await IndexRowsAsync(1);

        ResumeState resume = Read(index, records, retryFailed);

        AssertKept(index, resume, records, kept);
        string[] notices = [.. resume.Notices(Log, isSorted: true).Select(said => FormattableString.Invariant(said.Text))];
        Assert.True(notice.Length == 0 || Array.Exists(notices, text => text.Contains(notice.Replace("LOG", Log, StringComparison.Ordinal), StringComparison.Ordinal)), string.Join('\n', notices));
    }

    [Theory]
    [MemberData(nameof(Records), DisableDiscoveryEnumeration = true)]
    public void Meet_RowOfAPipe_KeepsTheLastGoodRecord(string[] records, bool retryFailed, int kept, string notice)
    {
        InputIndex index = IndexOf(Job.Pipe);
        ResumeState resume = Read(index, records, retryFailed);

        resume.Meet(index.Rows.Add(RowIndex.Fingerprint("a"), RowIndex.Fingerprint(s_key)));

        AssertKept(index, resume, records, kept);
        Assert.NotNull(notice);
    }

    /// <summary>The records of a row that is sent again if it has failed, and whether the output still holds its failure.</summary>
    public static TheoryData<string[], bool> Retried => new()
    {
        { [Failure(s_key)], true },
        { [Success(s_key), Failure(s_key)], true },
        { [Failure(s_key), Success(s_key)], false },
        { [Failure(s_key), Success(s_key, "length")], false },
        { [Failure(s_other)], false },
    };

    [Theory]
    [MemberData(nameof(Retried), DisableDiscoveryEnumeration = true)]
    public async Task OldFailures_CountUntilTheRowHasANewOutcome(string[] records, bool expected)
    {
        InputIndex file = await IndexRowsAsync(1);
        InputIndex pipe = IndexOf(Job.Pipe);
        ResumeState ofPipe = Read(pipe, records, retryFailed: true);
        ofPipe.Meet(pipe.Rows.Add(RowIndex.Fingerprint("a"), RowIndex.Fingerprint(s_key)));
        ResumeState ofFile = Read(file, records, retryFailed: true);

        Assert.Equal((expected ? 1 : 0, expected), ((int)ofFile.OldFailures, pipe.Rows.HasOldFailure(0)));

        file.Rows.SetRecord(0, 1000);
        Assert.Equal(0, ofFile.OldFailures);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public async Task HasReadAllOf_WholeOutput_IfItHasOneRecordForEachRow(int rows, bool expected)
    {
        InputIndex index = await IndexRowsAsync(rows);

        ResumeState resume = Read(index, [Success(s_key)], retryFailed: false);

        Assert.Equal(expected, resume.HasReadAllOf(Log));
    }

    public static TheoryData<string> NotWhole => [Success(s_key), Failure(s_key), Success(s_other), Success(s_key, id: "other"), Simulated(s_key), "nonsense"];

    [Theory]
    [MemberData(nameof(NotWhole), DisableDiscoveryEnumeration = true)]
    public async Task HasReadAllOf_AnotherLineBesides_IsFalse(string other)
    {
        InputIndex index = await IndexRowsAsync(1);

        Assert.False(Read(index, [other, Success(s_key)], retryFailed: false).HasReadAllOf(Log));
    }

    [Fact]
    public async Task HasReadAllOf_ChangedSince_IsFalse()
    {
        InputIndex index = await IndexRowsAsync(1);
        ResumeState resume = Read(index, [Success(s_key)], retryFailed: false);
        byte[] bytes = File.ReadAllBytes(Log);

        File.SetLastWriteTimeUtc(Log, File.GetLastWriteTimeUtc(Log).AddSeconds(1));
        Assert.False(resume.HasReadAllOf(Log), "written to");

        resume = Read(index, [Success(s_key)], retryFailed: false);
        DateTime written = File.GetLastWriteTimeUtc(Log);
        File.WriteAllBytes(Log + ".other", bytes);
        File.SetLastWriteTimeUtc(Log + ".other", written);
        File.Move(Log + ".other", Log, overwrite: true);
        Assert.False(resume.HasReadAllOf(Log), "replaced");

        File.Delete(Log);
        Assert.False(resume.HasReadAllOf(Log), "deleted");
    }

    private async Task<InputIndex> IndexRowsAsync(int rows)
    {
        File.WriteAllLines(Input, Enumerable.Range(0, rows).Select(row => $$"""{"custom_id":"{{(char)('a' + row)}}","method":"POST","url":"/v1/embeddings","body":{{Body}}}"""));
        InputIndex index = IndexOf(Input);
        await index.ReadAsync(new InputCheck(), see: null, TestContext.Current.CancellationToken);
        return index;
    }

    private static void AssertKept(InputIndex index, ResumeState resume, string[] records, int kept)
    {
        Assert.Equal(kept < 0 ? RowIndex.NoRecord : records[..kept].Sum(record => record.Length + 1), index.Rows.RecordOf(0));
        bool isFailure = kept >= 0 && records[kept].Contains("\"code\"", StringComparison.Ordinal);
        Assert.Equal((kept < 0 ? 0 : 1, isFailure ? 1 : 0, isFailure), (resume.Kept, resume.KeptFailures, index.Rows.IsFailure(0)));
    }

    private static string Success(RequestKey? key, string reason = "stop", string id = "a") =>
        $$$"""{"custom_id":"{{{id}}}","response":{"status_code":200,"body":{"choices":[{"finish_reason":"{{{reason}}}"}]}},"error":null{{{Own(key)}}}}""";

    private static string Simulated(RequestKey key) => Success(key).Replace("\"key\"", "\"simulated\":true,\"key\"", StringComparison.Ordinal);

    private static string Failure(RequestKey? key) => $$$"""{"custom_id":"a","response":null,"error":{"code":"x"}{{{Own(key)}}}}""";

    private static string Own(RequestKey? key) => key is null ? "" : $$$""","fastllm":{"key":"{{{key}}}"}""";

    private InputIndex IndexOf(string input) => new(new JobInput(new JobOptions { Input = input, Output = Log }), columns: null);

    private ResumeState Read(InputIndex index, string[] records, bool retryFailed)
    {
        File.WriteAllText(Log, string.Concat(records.Select(record => record + "\n")));
        var resume = new ResumeState(index, retryFailed, new RefreshRule(["length"]));
        resume.Read(Log);
        return resume;
    }
}
