namespace FastLLM;

/// <summary>Provides the builder of <see cref="RequestBatch.Chat"/>.</summary>
public sealed class BatchChat
{
    internal BatchChat(RequestBatch batch) => Completions = new BatchChatCompletions(batch);

    /// <summary>Gets the builder of chat completions.</summary>
    public BatchChatCompletions Completions { get; }
}
