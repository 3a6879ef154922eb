using Xunit;

namespace FastLLM.Tests.Requests;

public sealed class RequestBatchTests
{
    [Fact]
    public void Add_KeepsTheOrder()
    {
        var batch = new RequestBatch();
        string[] ids = [batch.Chat.Completions.Create("m", ["a"]), batch.Embeddings.Create("e", "b"), batch.Add(LlmRequest.FromPrompt(null, "c", "m"))];

        Assert.Equal(3, batch.Count);
        Assert.Equal(ids, batch.Select(request => request.Key.ToString()));
        Assert.Equal("c", batch[2].Messages[0].Content!.ToString());
    }

    [Fact]
    public void Merge_KeepsTheOrder()
    {
        RequestBatch a = Of("a0", "a1"), b = Of("b0", "b1"), empty = Of();
        RequestBatch merged = RequestBatch.Merge([a, empty, b, a]);
        merged.Chat.Completions.Create("m", ["last"]);

        Assert.Equal(["a0", "a1", "b0", "b1", "a0", "a1", "last"], merged.Select(request => request.Messages[0].Content!.ToString()));
        Assert.Equal((2, 2, 7), (a.Count, b.Count, merged.Count));
    }

    [Fact]
    public void Add_Null_ThrowsAndAddsNothing()
    {
        var batch = new RequestBatch();

        Assert.Throws<ArgumentNullException>(() => batch.Add(null!));
        Assert.Throws<ArgumentNullException>(() => RequestBatch.Merge(null!));
        Assert.Throws<ArgumentNullException>(() => batch.Chat.Completions.Create(null!, ["x"]));
        Assert.Throws<ArgumentNullException>(() => batch.Chat.Completions.Create("m", null!));
        Assert.Throws<ArgumentNullException>(() => batch.Chat.Completions.Create("m", [null!]));
        Assert.Throws<ArgumentNullException>(() => batch.Embeddings.Create("e", null!));
        Assert.Throws<ArgumentException>(() => batch.Embeddings.Create("", "x"));
        Assert.Empty(batch);
    }

    [Fact]
    public void Add_InvalidRequest_ThrowsAndAddsNothing()
    {
        var batch = new RequestBatch();

        Assert.Throws<ArgumentException>(() => batch.Add(LlmRequest.FromPrompt(null, "\udc00", "m")));
        Assert.Empty(batch);
    }

    [Fact]
    public void Create_OutOfRange_ThrowsWithName()
    {
        var batch = new RequestBatch();
        (string Name, Action Act)[] wrong =
        [
            ("Temperature", () => batch.Chat.Completions.Create("m", ["x"], temperature: 2.01)),
            ("TopP", () => batch.Chat.Completions.Create("m", ["x"], topP: -0.1)),
            ("TopP", () => batch.Chat.Completions.Create("m", ["x"], topP: double.NaN)),
            ("n", () => batch.Chat.Completions.Create("m", ["x"], n: 0)),
            ("MaxCompletionTokens", () => batch.Chat.Completions.Create("m", ["x"], maxCompletionTokens: 0)),
            ("PresencePenalty", () => batch.Chat.Completions.Create("m", ["x"], presencePenalty: 3)),
            ("FrequencyPenalty", () => batch.Chat.Completions.Create("m", ["x"], frequencyPenalty: -3)),
            ("Sample", () => batch.Chat.Completions.Create("m", ["x"], sample: -1)),
            ("dimensions", () => batch.Embeddings.Create("e", "x", dimensions: 0)),
        ];

        Assert.All(wrong, w => Assert.Equal(w.Name, Assert.Throws<ArgumentOutOfRangeException>(w.Act).ParamName));
        Assert.Empty(batch);
    }

    private static RequestBatch Of(params string[] prompts)
    {
        var batch = new RequestBatch();
        foreach (string prompt in prompts)
        {
            batch.Chat.Completions.Create("m", [prompt]);
        }

        return batch;
    }
}
