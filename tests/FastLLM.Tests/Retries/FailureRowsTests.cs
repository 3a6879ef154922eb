using FastLLM.Retries;
using FastLLM.Tests.Docs;
using Xunit;

namespace FastLLM.Tests.Retries;

/// <summary>The table in the code and the one that people read are the same.</summary>
public sealed class FailureRowsTests
{
    [Fact]
    public void TheDocs_ShowTheTableAsItIs()
    {
        string[] shown =
        [
            .. File.ReadLines(Path.Combine(Vocabulary.Root, "docs", "failures.md"))
                .Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(1),
        ];

        Assert.Equal(FailureRows.All.Select(row => $"| {row.When} | `{row.Kind}` | {Words(row.Action)} |"), shown);
    }

    [Fact]
    public void EveryKind_HasOneRow()
    {
        Assert.Equal(Enum.GetValues<FailureKind>().Order(), FailureRows.All.Select(row => row.Kind).Order());
        Assert.All(Enum.GetValues<FailureKind>(), kind => Assert.Equal(kind, FailureRows.Of(kind).Kind));
        Assert.Equal(FailureKind.Unknown, FailureRows.Of((FailureKind)9999).Kind);
        Assert.Equal(FailureKind.Unknown, FailureRows.Of((FailureKind)(-1)).Kind);
    }

    private static string Words(FailureAction action) => action switch
    {
        FailureAction.Wait => "waits and retries; does not count as an attempt",
        FailureAction.Retry => "retries, up to `RetryAttempts`",
        FailureAction.FailRow => "the row fails",
        FailureAction.StopRun => "the run stops",
        FailureAction.FailOrStop => "the row fails, or the run stops",
        FailureAction.RepeatThenFailOrStop => "sent once more; then the row fails, or the run stops",
        _ => "retries; then the row fails, or the run stops",
    };
}
