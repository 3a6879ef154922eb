using System.Reflection;
using System.Text.RegularExpressions;
using FastLLM.Diagnostics;
using FastLLM.Pipeline;
using FastLLM.TestKit.Crash;
using FastLLM.Tests.Docs;
using Xunit;

namespace FastLLM.Tests.Diagnostics;

public sealed partial class KillPointTests
{
    [Fact]
    public void KillPoints_AreTheSameInCodeProofAndDocumentation()
    {
        string[] constants = [.. typeof(KillPoint).GetFields().Where(field => field.IsLiteral && field.Name != nameof(KillPoint.Variable)).Select(field => (string)field.GetRawConstantValue()!)];
        string page = File.ReadAllText(Path.Combine(Vocabulary.Root, "docs", "durability.md"));
        string[] told = [.. Row().Matches(page).Select(match => match.Groups[1].Value)];

        Assert.Equal(constants.Order(), KillPoint.All.Order());
        Assert.Equal(constants.Order(), CrashProof.Points(withoutCache: false).Order());
        Assert.Equal(constants.Order(), told.Order());
        Assert.Contains(KillPoint.Variable, page, StringComparison.Ordinal);
    }

    [Fact]
    public void KillPoint_WithoutTheVariable_IsNotArmed()
    {
        Assert.All(KillPoint.All, point => Assert.False(KillPoint.IsArmed(point)));
        Assert.All(KillPoint.All, KillPoint.Reached);
        Assert.All(typeof(KillPoint).GetFields(BindingFlags.Static | BindingFlags.NonPublic).Where(field => field.Name is "s_armed" or "s_times"), field => Assert.True(field.IsInitOnly));
    }

    [GeneratedRegex("^\\| `([a-z-]+)` \\|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
