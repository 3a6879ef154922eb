using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>The scripts of <c>fastllm completion</c>, in the shells that are installed.</summary>
public sealed class CompletionTests : IDisposable
{
    private readonly Tool _tool = new();

    public void Dispose() => _tool.Dispose();

    [Theory]
    [InlineData("run --mod", "--model")]
    [InlineData("run --order ''", "completion input")]
    [InlineData("run revi", "reviews of May.csv")]
    public async Task Bash_CompletesOptionsValuesAndFiles(string words, string expected)
    {
        _tool.Write("reviews of May.csv", "text");
        ToolResult result = await _tool.RunInShellAsync(
            $$"""
            tool=("$@"); fastllm() { "${tool[@]}" "$@"; }
            source <(fastllm completion bash)
            COMP_WORDS=(fastllm {{words}}); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _fastllm
            echo "${COMPREPLY[*]}"; complete -p fastllm
            """);

        Assert.Equal(0, result.Exit);
        Assert.Equal([expected, "complete -F _fastllm fastllm"], result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task Fish_CompletesOptionsValuesAndFiles()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/fish"), "fish is not installed.");
        ToolResult result = await _tool.RunInShellAsync(
            """
            mkdir bin; printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$1" "$2" > bin/fastllm; chmod +x bin/fastllm
            export HOME=$PWD PATH=$PWD/bin:$PATH
            fastllm completion fish > c.fish
            fish -c "source c.fish; complete -C 'fastllm run --mod'; complete -C 'fastllm run in.csv --order c'"
            """);

        Assert.Equal((0, "--model\ncompletion\n"), (result.Exit, result.Output));
    }

    [Fact]
    public async Task Zsh_ReadsTheScript()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/zsh") || File.Exists("/bin/zsh"), "zsh is not installed.");
        ToolResult result = await _tool.RunInShellAsync(
            """
            mkdir bin; printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$1" "$2" > bin/fastllm; chmod +x bin/fastllm
            export PATH=$PWD/bin:$PATH
            fastllm completion zsh > c.zsh
            zsh -f -c 'compdef() { :; }; compadd() { shift; print -r -- "$@"; }; source c.zsh
              words=(fastllm run in.csv --order c) CURRENT=5; _fastllm; words=(fastllm run --mod) CURRENT=3; _fastllm'
            """);

        Assert.Equal((0, "completion\n--model\n"), (result.Exit, result.Output));
    }

    [Fact]
    public async Task UnknownShell_IsRefused()
    {
        ToolResult result = await _tool.RunAsync("completion", "fihs");

        Assert.Equal(2, result.Exit);
        Assert.Contains("Did you mean fish?", result.Messages, StringComparison.Ordinal);
    }
}
