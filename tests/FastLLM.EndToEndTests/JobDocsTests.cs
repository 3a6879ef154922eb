using System.Diagnostics;
using System.Text.RegularExpressions;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>Every command in the pages of docs/jobs runs as it stands there, one after the other, against the simulator.</summary>
public sealed partial class JobDocsTests : IDisposable
{
    private readonly Tool _tool = new();

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    /// <summary>Page, how many sends its commands make, what they leave, and a text that is in the last of it.</summary>
    public static TheoryData<string, int, string[], string> Pages => new()
    {
        { "label-a-table.md", 5, ["labels.csv"], "0005,chair,=my favourite chair," },
        { "evaluate-a-model.md", 4 + 4 + 20, ["graded.jsonl", "judged.csv", "samples.csv"], "\n4#4,Tom reads 12 pages a day." },
        { "synthetic-data.md", 6 + 2, /* the simulator says the same to each sample */ ["texts.jsonl", "checked.csv"], "\n3#2,compound interest,students," },
        { "embed-a-corpus.md", 3, ["vectors.jsonl.gz"], "" },
    };

    public void Dispose() => _tool.Dispose();

    [Fact]
    public void Pages_AreAllTested() => Assert.Equal(
        Directory.GetFiles(Path.Combine(Root(), "docs", "jobs")).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal),
        Pages.Select(row => row.Data.Item1).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Pages))]
    public async Task Page_CommandsRun_AndRerunSendsNothing(string page, int sends, string[] files, string holds)
    {
        await using var simulator = await SimulatorServer.StartAsync(cancellationToken: Ended);
        _tool.Environment["OPENAI_BASE_URL"] = simulator.ApiBase;
        _tool.Environment["OPENAI_API_KEY"] = "none";
        CopySamples();
        string[] commands = [.. Commands().Matches(await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "jobs", page), Ended)).Select(match => match.Groups[1].Value)];
        Assert.NotEmpty(commands);

        for (var round = 0; round < 2; round++)
        {
            // The second round begins with the rows of the first command's limit again, and goes on with the rest: all of it is known.
            foreach (string command in commands)
            {
                (int exit, string messages) = await ShellAsync(command);
                Assert.True(exit == 0, $"{command}\n{messages}");
            }

            Assert.Equal(sends, simulator.Stats.Sends);
        }

        Assert.All(files, file => Assert.True(File.Exists(_tool.PathOf(file)), file));
        Assert.Contains(holds, await File.ReadAllTextAsync(_tool.PathOf(files[^1]), Ended), StringComparison.Ordinal);
    }

    private async Task<(int Exit, string Messages)> ShellAsync(string command)
    {
        // The words of the command are split by the shell, as for a user; the tool is the one that was built.
        var start = new ProcessStartInfo("bash", ["-c", $"fastllm() {{ dotnet \"$FASTLLM_TOOL\" \"$@\"; }}; {command}"])
        {
            WorkingDirectory = _tool.Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["FASTLLM_TOOL"] = Tool.Program;
        start.Environment["XDG_CACHE_HOME"] = _tool.PathOf("caches");
        foreach ((string name, string value) in _tool.Environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(Ended);
        string messages = await process.StandardError.ReadToEndAsync(Ended);
        await process.WaitForExitAsync(Ended);
        return (process.ExitCode, await output + messages);
    }

    private void CopySamples()
    {
        string to = Directory.CreateDirectory(_tool.PathOf(Path.Combine("samples", "jobs"))).FullName;
        foreach (string file in Directory.GetFiles(Path.Combine(Root(), "samples", "jobs")))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
    }

    internal static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder!, "FastLLM.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder!;
    }

    [GeneratedRegex("```bash\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Commands();
}
