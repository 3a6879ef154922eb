using FastLLM.Costs;
using FastLLM.Jobs.Output;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

/// <summary>What a job cost and no record states is kept beside the output.</summary>
public sealed class CostAccountTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;
    private readonly List<string> _notices = [];
    private readonly CostMeter _meter = new(prices: null);

    private string Output => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void End_RecordsStateTheCost_LeavesNoFile()
    {
        using CostJournal journal = Journal(0);
        var account = new CostAccount(journal, recorded: 2, _meter);
        account.Announce(5);
        Assert.Contains("\"in_flight\":\"5\"", File.ReadAllText(journal.Path), StringComparison.Ordinal);

        account.Written(1);
        account.End(runCost: 1, stated: null, isDone: true, Say);

        Assert.Equal(2, account.EarlierCost);
        Assert.False(File.Exists(journal.Path));
    }

    [Fact]
    public void End_CostWithoutRecord_IsStored()
    {
        using CostJournal journal = Journal(0.5m);
        var account = new CostAccount(journal, recorded: 2, _meter);

        account.Written(1);
        account.End(runCost: 1.25m, stated: null, isDone: true, Say);

        Assert.Equal(2.5m, account.EarlierCost);
        Assert.Equal(0.75m, Journal(null).Unrecorded);
    }

    [Fact]
    public void End_SortDroppedARecord_KeepsItsCost()
    {
        using CostJournal journal = Journal(0);
        var account = new CostAccount(journal, recorded: 2, _meter);

        account.End(runCost: 0, stated: 0.5m, isDone: true, Say);

        Assert.Equal(1.5m, Journal(null).Unrecorded);
    }

    [Fact]
    public void End_JournalCannotBeWritten_IsReported()
    {
        using CostJournal journal = Journal(0);
        Directory.CreateDirectory(journal.Path);
        var account = new CostAccount(journal, recorded: 0, _meter);

        account.End(runCost: 0.25m, stated: null, isDone: true, Say);

        Assert.Contains("$0.25", Assert.Single(_notices), StringComparison.Ordinal);
        Assert.Equal(FailureKind.Output, Assert.Throws<LlmException>(() => account.Announce(1)).Kind);
    }

    [Theory]
    [InlineData(false, 5)]
    [InlineData(true, 1)]
    public void End_AnswerWasAboveItsWorstCase_TellsTheNextRunUnlessDone(bool isDone, decimal factor)
    {
        using CostJournal journal = Journal(0);
        var account = new CostAccount(journal, recorded: 0, _meter);
        _meter.Expect(5);

        account.Announce(1);
        Assert.Contains("\"factor\":\"5", File.ReadAllText(journal.Path), StringComparison.Ordinal);
        account.End(runCost: 0, stated: null, isDone, Say);

        using CostJournal next = Journal(null);
        Assert.Equal(factor, next.Factor);
        Assert.Equal(!isDone, File.Exists(journal.Path));
    }

    [Fact]
    public void End_SendsOfUnknownCostWithoutRecord_AreAddedUpForGood()
    {
        using CostJournal journal = Journal(0.5m);
        var account = new CostAccount(journal, recorded: 0, _meter);
        account.AddWorstCases(3);
        account.End(runCost: 0, stated: null, isDone: false, Say);

        using CostJournal next = Journal(null);
        account = new CostAccount(next, recorded: 0, _meter);
        account.AddWorstCases(2);
        account.End(runCost: 0, stated: null, isDone: true, Say);

        using CostJournal last = Journal(null);
        Assert.Equal((0.5m, 5), (last.Unrecorded, last.WorstCases));
        last.Delete();
        Assert.Equal(0, last.WorstCases);
    }

    [Fact]
    public void Pipe_HasNoEarlierCost()
    {
        var account = new CostAccount(journal: null, recorded: 0, _meter);

        account.Announce(1);
        account.End(runCost: 1, stated: null, isDone: true, Say);

        Assert.Equal(0, account.EarlierCost);
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    private CostJournal Journal(decimal? unrecorded)
    {
        var journal = new CostJournal(Output);
        if (unrecorded is { } cost)
        {
            journal.Settle(cost, factor: 1, worstCases: 0);
        }

        journal.Read();
        return journal;
    }

    private void Say(FormattableString notice) => _notices.Add(FormattableString.Invariant(notice));
}
