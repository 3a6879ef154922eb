using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>The first rows of a run are shown before the others are sent, and are the run's own.</summary>
public sealed class PreviewTests : IDisposable
{
    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Fact]
    public async Task Preview_WithoutTerminal_ShowsRowsAndSendsTheOthers()
    {
        WriteRows(30);
        ToolResult result = await _tool.RunAsync(Arguments("--preview", "2"));

        Assert.Equal(0, result.Exit);
        Assert.Contains("Preview: the first 2 of 30 rows", result.Messages, StringComparison.Ordinal);
        Assert.Contains("sent      Classify: text 1", result.Messages, StringComparison.Ordinal);
        Assert.Contains("28 rows are left.", result.Messages, StringComparison.Ordinal);
        Assert.DoesNotContain("[Y/n]", result.Messages, StringComparison.Ordinal);
        Assert.Contains("30 · 30 ok · 0 failed · 0 cached · 0 shared", result.Messages, StringComparison.Ordinal);
        Assert.Contains("sends:       30 ", result.Messages, StringComparison.Ordinal);
        Assert.Equal(31, File.ReadAllLines(_tool.PathOf("out.csv")).Length);
    }

    [Theory]
    [InlineData("--refresh all", "")]
    [InlineData("--refresh all", "--fresh")]
    [InlineData("--refresh stop", "--no-fastllm-member")]
    public async Task Preview_OfRowsThatAreSentAgain_SendsEachOnce(string refresh, string more)
    {
        WriteRows(30);
        string[] arguments = [.. Arguments(), "--no-cache", .. more.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        arguments[3] = "out.jsonl";
        Assert.Equal(0, (await _tool.RunAsync([.. arguments, "--preview", "0"])).Exit);
        ToolResult result = await _tool.RunAsync([.. arguments, .. refresh.Split(' '), "--preview", "2"]);

        Assert.Equal(0, result.Exit);
        Assert.Contains("28 rows are left.", result.Messages, StringComparison.Ordinal);
        Assert.Contains("30 · 30 ok · 0 failed · 0 cached · 0 shared", result.Messages, StringComparison.Ordinal);
        Assert.Contains("sends:       30 ", result.Messages, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("n", 3, "Not confirmed. 27 rows were not sent")]
    [InlineData("", 0, "30 · 30 ok")]
    public async Task Preview_OnTerminal_AsksBeforeTheOthers(string answer, int exit, string message)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows() || !File.Exists("/usr/bin/script"), "There is no script(1) to make a terminal.");
        WriteRows(30);
        ToolResult result = await _tool.RunInShellAsync(
            $"printf '{answer}\\n' | script -qec \"$(printf '%q ' \"$@\")\" /dev/null", Arguments());

        Assert.Equal(exit, result.Exit);
        Assert.Contains("Preview: the first 3 of 30 rows", result.Output, StringComparison.Ordinal);
        Assert.Contains("Send them? [Y/n]", result.Output, StringComparison.Ordinal);
        Assert.Contains(message, result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--json")]
    [InlineData("-o -")]
    public async Task Preview_WhereAProgramReadsTheOutput_IsRefused(string options)
    {
        WriteRows(30);
        ToolResult result = await _tool.RunAsync(
            ["run", "in.csv", "--provider", "simulator", "--model", "m", "--template", "{{text}}", "--preview", "2", .. options.Split(' ')]);

        Assert.Equal(2, result.Exit);
        Assert.Contains("--preview ", result.Messages, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sample_TakesTheSameRowsAgain_InInputOrder()
    {
        WriteRows(30);
        ToolResult first = await _tool.RunAsync(Arguments("--sample", "5", "--seed", "7"));
        Assert.Equal(0, first.Exit);
        int[] ids = [.. File.ReadAllLines(_tool.PathOf("out.csv")).Skip(1).Select(line => int.Parse(line.Split(',')[0]))];
        Assert.Equal(5, ids.Length);
        Assert.Equal(ids.Order(), ids);

        ToolResult again = await _tool.RunAsync(Arguments("--sample", "5", "--seed", "7"));
        Assert.Contains("Nothing is left to do", again.Messages, StringComparison.Ordinal);
        ToolResult other = await _tool.RunAsync(Arguments("--sample", "5", "--seed", "8"));
        Assert.Equal(2, other.Exit);
        Assert.Contains("has rows that are not in the sample", other.Messages, StringComparison.Ordinal);
    }

    private static string[] Arguments(params string[] more) =>
        ["run", "in.csv", "-o", "out.csv", "--provider", "simulator", "--model", "m", "--template", "Classify: {{text}}", .. more];

    private void WriteRows(int count) =>
        _tool.Write("in.csv", ["id,text", .. Enumerable.Range(1, count).Select(i => $"{i},text {i}")]);
}
