using System.Diagnostics;
using FastLLM.Tests.Docs;
using Xunit;

namespace FastLLM.Tests.Samples;

/// <summary>The samples run, as a user runs them.</summary>
[Collection(Collection)]
public sealed class SampleTests
{
    /// <summary>Tests that build samples: one after the other, for they write the same files.</summary>
    internal const string Collection = "Samples";

    [Fact]
    public async Task TenLineSample_AnswersTenQuestions()
    {
        (int exit, string output, _) = await RunAsync("hello.cs");

        string[] lines = output.Trim().Split('\n');
        Assert.Equal(0, exit);
        Assert.Equal(10, lines.Length);
        Assert.All(lines, (line, i) => Assert.EndsWith($"What is {i + 1} times {i + 1}?", line.TrimEnd(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Readme_ShowsTheTenLineSample()
    {
        string sample = await File.ReadAllTextAsync(
            Path.Combine(Vocabulary.Root, "samples", "hello.cs"), TestContext.Current.CancellationToken);
        string readme = await File.ReadAllTextAsync(Path.Combine(Vocabulary.Root, "README.md"), TestContext.Current.CancellationToken);
        string shown = readme.Split("```csharp\n")[1].Split("```")[0].Trim();

        Assert.Contains(shown, sample, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FileSample_AnswersEachQuestionOnce_InOrder()
    {
        string file = Path.GetTempFileName();
        try
        {
            string[] questions = [.. Enumerable.Range(1, 450).Select(i => $"{i}. How much is \"{i}\" + {i}, ‘exactly’?")];
            await File.WriteAllLinesAsync(file, questions.Select(q => $$"""{"question": {{System.Text.Json.JsonSerializer.Serialize(q)}}, "answer": "?"}"""), TestContext.Current.CancellationToken);

            (int exit, string output, string messages) = await RunAsync("questions.cs", file, "200");

            string[] lines = output.Trim().Split('\n');
            Assert.Equal(0, exit);
            Assert.Equal(questions.Length, lines.Length);
            Assert.All(lines, (line, i) => Assert.EndsWith($": {questions[i]}", line.TrimEnd(), StringComparison.Ordinal));
            Assert.Contains("450 questions, 450 answered, 450 sent", messages, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<(int Exit, string Output, string Messages)> RunAsync(string sample, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["run", Path.Combine(Vocabulary.Root, "samples", sample), "--", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // As on a machine without a key.
        start.Environment.Remove("OPENAI_API_KEY");
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> messages = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await messages);
    }
}
