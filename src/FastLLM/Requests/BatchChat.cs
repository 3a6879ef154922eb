namespace FastLLM;

/// <summary>The builder behind <see cref="RequestBatch.Chat"/>.</summary>
public sealed class BatchChat
{
    internal BatchChat(RequestBatch batch) => Completions = new BatchChatCompletions(batch);

    /// <summary>Gets the builder of chat completions.</summary>
    public BatchChatCompletions Completions { get; }
}
