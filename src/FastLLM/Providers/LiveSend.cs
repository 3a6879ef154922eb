namespace FastLLM.Providers;

/// <summary>Represents one send of a watched stream. Under the lock of its <see cref="LiveStream"/>.</summary>
internal sealed class LiveSend
{
    /// <summary>Gets the events so far.</summary>
    public List<byte[]> Events { get; } = [];

    /// <summary>Gets or sets why the send failed.</summary>
    public LlmException? Failure { get; set; }
}
