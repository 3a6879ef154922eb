using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using FastLLM.Tests.Checks;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Docs;

/// <summary>The code of docs/typed-answers.md: this file compiles and runs it, word for word.</summary>
public sealed partial class TypedAnswersPageTests : EngineTest
{
    private const string Answer = """{"mood":"Good","stars":4,"topics":["speed"],"note":null}""";

    [Fact]
    public void EveryBlock_IsInThisFile()
    {
        string own = Flat(File.ReadAllText(Path.Combine(Vocabulary.Root, "tests", "FastLLM.Tests", "Docs", "TypedAnswersPageTests.cs")));
        string page = File.ReadAllText(Path.Combine(Vocabulary.Root, "docs", "typed-answers.md"));

        string[] blocks = [.. Blocks().Matches(page).Select(match => Flat(match.Groups[1].Value))];
        Assert.Equal(4, blocks.Length);
        Assert.All(blocks, block => Assert.Contains(block, own, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Blocks_DoWhatThePageSays()
    {
        CancellationToken cancellationToken = Ended;
        await using var manager = new RequestManager(new ScriptedAnswers(last => last.Contains("Summarize", StringComparison.Ordinal) ? "Fast." : Answer), Quick());
        LlmRequest[] batch = AskMany(2);

        LlmRequest question = LlmRequest.FromPrompt("openai", "Review: boils in two minutes, four stars.", "gpt-4o-mini");
        Review review = await manager.GetAsync(question, ReviewContext.Default.Review, cancellationToken);

        Assert.Equal((Mood.Good, 4), (review.Mood, review.Stars));

        foreach (TypedAnswer<Review> answer in await manager.ProcessBatchAsync(batch, ReviewContext.Default.Review, cancellationToken))
        {
            Console.WriteLine(answer.IsSuccess ? $"{answer.Value.Mood}, {answer.Value.Stars} stars" : answer.Error!.Message);
        }

        var check = new AnswerCheck(
            text => text.Split(' ').Length <= 20 ? null : $"The summary has {text.Split(' ').Length} words, more than 20.",
            instruction: "Summarize the review in at most 20 words.");
        IReadOnlyList<ResponseWrapper<LlmResponse>> summaries = await manager.ProcessBatchAsync(batch, check, cancellationToken);

        Assert.All(summaries, summary => Assert.True(summary.IsSuccess));
    }

    // Without indentation: a block of a page has none.
    private static string Flat(string code) => string.Join('\n', code.Split('\n').Select(line => line.Trim()));

    [GeneratedRegex("(?s)```csharp\n(.*?)\n```")]
    private static partial Regex Blocks();
}

internal sealed record Review(Mood Mood, int Stars, IReadOnlyList<string> Topics, string? Note);

internal enum Mood
{
    Good,
    Bad,
    Mixed,
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(Review))]
internal sealed partial class ReviewContext : JsonSerializerContext;
