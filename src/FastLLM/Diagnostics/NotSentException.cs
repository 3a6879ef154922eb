namespace FastLLM.Diagnostics;

/// <summary>Represents a connection that was given up before the request was written: nothing was sent.</summary>
/// <param name="message">The reason.</param>
/// <param name="isFree">Whether the request is sent again on another connection at once, which counts as no attempt.</param>
internal sealed class NotSentException(string message, bool isFree) : IOException(message)
{
    public bool IsFree { get; } = isFree;

    /// <summary>Finds it among the causes of a failed send.</summary>
    public static NotSentException? Find(Exception? exception)
    {
        while (exception is not (null or NotSentException))
        {
            exception = exception.InnerException;
        }

        return exception as NotSentException;
    }
}
