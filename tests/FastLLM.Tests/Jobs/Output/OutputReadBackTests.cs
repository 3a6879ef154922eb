using FastLLM.Jobs.Output;
using FastLLM.Jobs.Planning;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

/// <summary>What is found in an output at the end of a run, and what of it the sort drops.</summary>
public sealed class OutputReadBackTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;

    private string Log => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Of_RecordsOfRowsAndOthers_AddsUpTheirCostsApart()
    {
        var rows = new RowIndex();
        rows.Add(RowIndex.Fingerprint("a"), key: 1);
        rows.Add(RowIndex.Fingerprint("b"), key: 2);
        string earlier = Success("a", cost: "0.5");
        File.WriteAllText(Log, earlier + Success("a", cost: "0.25") + "nonsense\n" + Success("other", cost: "4"));
        rows.SetRecord(0, earlier.Length);

        using SafeFileHandle file = OutputScan.OpenForReading(Log);
        OutputReadBack found = OutputReadBack.Of(file, rows, count: 2);

        Assert.Equal((1, 0, 0.25m, 4.5m), (found.Succeeded, found.Failed, found.Cost, found.OtherCost));
        Assert.Equal((2, 2), found.Dropped);
        Assert.Empty(found.Lost);
    }

    [Fact]
    public void Of_RecordIsNotWhereItWasWritten_IsFoundIfItIsElsewhere()
    {
        var rows = new RowIndex();
        rows.Add(RowIndex.Fingerprint("a"), key: 1);
        rows.Add(RowIndex.Fingerprint("b"), key: 1);
        File.WriteAllText(Log, "\n" + Success("a", cost: "1"));
        rows.SetRecord(0, 0);
        rows.SetRecord(1, 100);

        using SafeFileHandle file = OutputScan.OpenForReading(Log);
        OutputReadBack found = OutputReadBack.Of(file, rows, count: 2);

        Assert.Equal([1], found.Lost);
        Assert.Equal((1, 1m, 0m, 1L), (found.Succeeded, found.Cost, found.OtherCost, rows.RecordOf(0)));
    }

    private static string Success(string id, string cost) =>
        $$$"""{"custom_id":"{{{id}}}","response":{"status_code":200,"body":{"choices":[]}},"error":null,"fastllm":{"cost":{{{cost}}}}}""" + "\n";
}
