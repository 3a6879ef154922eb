using System.Text.Json;
using FastLLM.Cli;
using FastLLM.Jobs.Answers;
using Xunit;

namespace FastLLM.Tests.Cli;

/// <summary>What a user reads of the distribution of answers.</summary>
public sealed class DistributionTextTests
{
    [Fact]
    public void Lines_ShowValuesFinishReasonsAndLengths()
    {
        var tally = new AnswerTally(AnswerForm.OfFields("mood:good|bad,sure:boolean,note:string"));
        for (var i = 0; i < 100; i++)
        {
            tally.Add($$"""{"mood":"{{(i < 75 ? "good" : "bad")}}","sure":true,"note":"{{new string('x', i)}}"}""", i == 0 ? "length" : "stop");
        }

        Assert.Equal(
            [
                "mood: good 75 (75%) · bad 25 (25%)",
                "sure: true 100 (100%)",
                "finish: stop 99 (99%) · length 1 (1%)",
                "lengths: median 87 characters · 95% up to 135 · 37 to 135 · 100 answers",
            ],
            DistributionText.Lines(tally.ToDistribution()).Select(line => $"{line.Label}: {string.Join(" · ", line.Parts)}"));
    }

    [Fact]
    public void Lines_ManyValues_AreCounted()
    {
        string[] labels = [.. Enumerable.Range(0, 20).Select(i => $"label{i}")];
        var tally = new AnswerTally(AnswerForm.OfLabels(labels));
        foreach (string label in labels)
        {
            tally.Add(label, "stop");
        }

        Assert.Equal("and 8 more", DistributionText.Lines(tally.ToDistribution()).First().Parts[^1]);
    }

    [Fact]
    public void Write_IsValidJson_WithoutAnswersToo()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            DistributionText.Write(json, new AnswerTally(AnswerForm.OfLabels("a", "b")).ToDistribution());
            json.WriteEndObject();
        }

        using JsonDocument written = JsonDocument.Parse(stream.ToArray());
        Assert.Equal(0, written.RootElement.GetProperty("distribution").GetProperty("answers").GetInt32());
    }
}
