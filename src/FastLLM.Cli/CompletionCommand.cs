using System.CommandLine;
using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Represents <c>fastllm completion</c>, which prints a script that completes commands in a shell.</summary>
internal static class CompletionCommand
{
    /// <summary>The name of the command.</summary>
    public const string Name = "completion";

    /// <summary>Gets the shells.</summary>
    public static IReadOnlyList<string> Shells { get; } = ["bash", "zsh", "fish", "powershell"];

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var shell = new Argument<string>("SHELL") { Description = $"The shell: {string.Join(", ", Shells)}." };
        var command = new CliCommand(Name, "Print a script that completes commands, options and values in a shell.");
        command.Arguments.Add(shell);
        command.AddExample("Complete in bash, now and in new shells (for zsh: ~/.zshrc):", "fastllm completion bash >> ~/.bashrc");
        command.AddExample("Complete in fish:", "fastllm completion fish > ~/.config/fish/completions/fastllm.fish");
        command.AddExample("Complete in PowerShell:", "fastllm completion powershell | Out-String | Invoke-Expression");
        command.SetAction(result =>
        {
            result.InvocationConfiguration.Output.Write(ScriptOf(result.GetValue(shell)!));
            return ExitCode.Ok;
        });
        return command;
    }

    private static string ScriptOf(string shell)
    {
        string name = shell.ToLowerInvariant() is "pwsh" ? "powershell" : shell.ToLowerInvariant();
        using Stream? stream = Shells.Contains(name)
            ? typeof(CompletionCommand).Assembly.GetManifestResourceStream($"completion.{name}.txt") : null;
        if (stream is null)
        {
            throw new UsageException($"There is no completion for {TerminalText.Clean(shell, 40)}.{Suggestion.Sentence(shell, Shells)} "
                + $"The shells are: {string.Join(", ", Shells)}.");
        }

        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n"); // shells read LF on every platform
    }
}
