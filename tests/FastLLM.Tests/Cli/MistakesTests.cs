using System.Text;
using FastLLM.Cli;
using FastLLM.TestKit;
using FastLLM.Tests.Docs;
using Xunit;

namespace FastLLM.Tests.Cli;

/// <summary>What the command answers to typical mistakes: <c>Cli/Mistakes/mistakes.approved.txt</c>.</summary>
public sealed class MistakesTests : IDisposable
{
    private static readonly string s_folder = Path.Combine(AppContext.BaseDirectory, "Cli", "Mistakes");

    private readonly TemporaryFolder _files = new();

    public MistakesTests()
    {
        Write("reviews.csv", "id,Review Text,stars\n1,Very good,\n2,Too small,\n3,Broken,\n4,Fine,\n5,So-so,\n");
        Write("questions.jsonl", """{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}]}""" + "\n");
        Write("nomodel.jsonl", string.Concat(Enumerable.Repeat("""{"messages":[{"role":"user","content":"Hi"}]}""" + "\n", 3)));
        Write("rows.jsonl", string.Concat(Enumerable.Repeat("{\"q\":\"Hi\"}\n", 12)));
        Write("broken.jsonl", """{"model":"m","messages":[{"role":"user","content":"Hi"}]""" + "\n");
        Write("duplicates.jsonl", string.Concat(Enumerable.Repeat(
            """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":"Hi"}]}}""" + "\n", 2)));
        Write("array.json", "[{\"q\":\"Hi\"}]\n");
        Write("twice.csv", "q,q\n1,2\n");
        Write("cells.csv", "q,a\n1,2,3\n4,5,6\n");
        Write("empty.csv", "");
        Write("prompt.txt", "Good or bad? {{Review Text}}");
        Write("labels.csv.tmp", "Good or bad? {{Review Text}}");
        Write("messages.json", "{\"role\":\"user\"}");
        Write("wrong.json", "{\"type\":\"object\",\"propertys\":{}}");
        Write("broken.xlsx", "PK\u0003\u0004 and nothing else");
        Write("broken.parquet", "PAR1 and nothing else");
        Write("old.xls", "id;text\n1;Hi\n");
        File.WriteAllBytes(_files.In("cut.csv.gz"), [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0x4B]);
        File.WriteAllText(_files.In("utf16.csv"), "q\nHi\n", Encoding.Unicode);
        File.WriteAllBytes(_files.In("nobom.csv"), Encoding.Unicode.GetBytes("id,text\n1,Hi\n2,Ho\n"));
        Write("download.csv", "<!DOCTYPE html><title>Sign in</title>\n");
        Write("scan.csv", "%PDF-1.7\n");
        Write("mac.csv", "id,text\r1,Hi\r2,Ho\r");
        Write("short.csv", "id,text\n1\n");
        Write("type.json", "{\"type\":\"object\",\"properties\":{\"stars\":{\"type\":\"interger\"}}}");
    }

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Mistakes_HaveTheApprovedTexts()
    {
        var text = new StringBuilder();
        foreach (string line in Lines())
        {
            bool hasKey = !line.StartsWith("no-key", StringComparison.Ordinal);
            string command = hasKey ? line : line["no-key".Length..].Trim();
            (int exit, string written) = await RunAsync(command, hasKey);
            text.Append("$ fastllm ").Append(command).Append('\n').Append(written).Append(exit == ExitCode.Usage ? "\n" : $"exit code {exit}\n\n");
        }

        string received = Path.Combine(s_folder, "mistakes.received.txt");
        string approved = Path.Combine(s_folder, "mistakes.approved.txt");
        if (File.Exists(approved) && File.ReadAllText(approved).ReplaceLineEndings("\n") == text.ToString())
        {
            File.Delete(received);
            return;
        }

        File.WriteAllText(received, text.ToString());
        Assert.Fail($"Texts have changed. If that is meant, copy {received} over tests/FastLLM.Tests/Cli/Mistakes/mistakes.approved.txt.");
    }

    [Fact]
    public async Task Mistakes_AreDescribedInOurOwnWords()
    {
        string[] parser = ["Unrecognized command", "Cannot parse argument", "expected type", "Required argument", "Required command", "System.", "(Parameter"];
        foreach (string line in Lines())
        {
            (int exit, string written) = await RunAsync(line.Replace("no-key", "", StringComparison.Ordinal).Trim(), hasKey: line[0] != 'n');

            Assert.Equal(ExitCode.Usage, exit);
            Assert.DoesNotContain(parser, words => written.Contains(words, StringComparison.Ordinal));
            Assert.Empty(Vocabulary.BannedIn(written));
            Assert.DoesNotContain("sk-secret", written.Replace("sk-secret-123'", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    }

    private static string[] Lines() =>
        [.. File.ReadAllLines(Path.Combine(s_folder, "mistakes.txt")).Where(line => line.Length > 0 && line[0] != '#')];

    private async Task<(int Exit, string Written)> RunAsync(string command, bool hasKey)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        string[] words = [.. Words(command).Select(word => IsFile(word) ? _files.In(word) : word.StartsWith('@') ? $"@{_files.In(word[1..])}" : word)];
        string[] noCache = words is ["run", _, ..] && !words.Contains("--input") ? ["--no-cache"] : [];
        var app = new App(name => hasKey && name == "OPENAI_API_KEY" ? "sk-test" : null, output, error, TimeProvider.System);
        int exit = await app.RunAsync([.. words[..Math.Min(2, words.Length)], .. noCache, .. words[Math.Min(2, words.Length)..]]);
        string written = $"{output}{error}".ReplaceLineEndings("\n");
        return (exit, written.Replace(_files.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal).Replace(_files.Path, ".", StringComparison.Ordinal));
    }

    private static bool IsFile(string word) => word is "." or "nowhere" || (!word.Contains(' ', StringComparison.Ordinal)
        && Path.GetExtension(word) is ".csv" or ".jsonl" or ".json" or ".xlsx" or ".parquet" or ".xls" or ".gz" && word[0] is not ('@' or '-'));

    // Words as a shell reads them, with single quotes only.
    private static List<string> Words(string line)
    {
        List<string> words = [];
        StringBuilder? word = null;
        var isQuoted = false;
        foreach (char c in line)
        {
            if (c == '\'')
            {
                isQuoted = !isQuoted;
                word ??= new StringBuilder();
            }
            else if (c == ' ' && !isQuoted)
            {
                if (word is not null)
                {
                    words.Add(word.ToString());
                    word = null;
                }
            }
            else
            {
                (word ??= new StringBuilder()).Append(c);
            }
        }

        if (word is not null)
        {
            words.Add(word.ToString());
        }

        return words;
    }

    private void Write(string name, string text) => File.WriteAllText(_files.In(name), text);
}
