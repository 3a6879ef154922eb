namespace FastLLM.Pipeline;

/// <summary>Knows the answers that the consumer of a run has recorded, so that equal rows need no send, however far apart they
/// are.</summary>
/// <remarks>Called by many threads at once. The run remembers an answer until its consumer has recorded it.</remarks>
internal interface IRecordedAnswers
{
    /// <summary>Returns whether an answer may be needed again.</summary>
    bool MayRepeat(RequestKey key);

    /// <summary>Returns the body of a recorded answer, or <see langword="null"/>.</summary>
    ReadOnlyMemory<byte>? Find(RequestKey key);
}
