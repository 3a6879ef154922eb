namespace FastLLM.Cluster.Caching;

/// <summary>Represents an answer to be put, or the removal of all answers. The task completes when it is committed.</summary>
internal sealed class PutItem(AnswerKey key, AnswerRow? row)
    : TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), ILaneItem
{
    public AnswerKey Key => key;

    /// <summary>Gets the answer; <see langword="null"/> for the removal of all answers.</summary>
    public AnswerRow? Row => row;

    /// <summary>Gets the bytes of the request's key, by which a group is sorted.</summary>
    public byte[] RequestBytes { get; } = key.RequestBytes();

    /// <inheritdoc/>
    public long Bytes => row is null ? 0 : row.Body.Length + row.Endpoint.Length + 512;

    /// <inheritdoc/>
    public bool IsAlone => row is null;

    /// <inheritdoc/>
    public void Fail(Exception fault) => TrySetException(fault);

    /// <summary>Compares in the order in which every transaction locks rows, so that none waits for another in a circle.</summary>
    public static int Compare(PutItem a, PutItem b) =>
        a.RequestBytes.AsSpan().SequenceCompareTo(b.RequestBytes) is not 0 and var order ? order
            : Nullable.Compare(a.Key.Scope, b.Key.Scope);
}
