using FastLLM.Checks;

namespace FastLLM;

/// <summary>Checks the answers of a batch, a stream or a job. An answer that does not pass is corrected: the request is sent once more,
/// with the answer and its error as further turns of the conversation.</summary>
/// <remarks>
/// <para>If the second answer does not pass either, the request fails with <see cref="FailureKind.InvalidAnswer"/>, and
/// <see cref="LlmException.Answers"/> has both. Both are in the cache, under the keys of their own requests, so a later run sends neither
/// again. Equal requests share the answer and its correction.</para>
/// <para>Immutable. The check is called by several threads at once, for cached answers too; it must give the same result for the same
/// text. An exception that it throws is an error of the answer.</para>
/// </remarks>
public sealed class AnswerCheck
{
    private readonly Func<string, string?> _errorOf;

    /// <summary>Creates a check.</summary>
    /// <param name="errorOf">Returns the error of an answer's text, in words that the model understands; <see langword="null"/> if the text
    /// passes.</param>
    /// <param name="instruction">What an answer must look like. The correction repeats it; <see langword="null"/> if the errors
    /// suffice.</param>
    public AnswerCheck(Func<string, string?> errorOf, string? instruction = null)
        : this(errorOf, instruction, identity: null)
    {
    }

    /// <summary>Creates a check that equals other checks with the same identity, so that their requests share answers.</summary>
    internal AnswerCheck(Func<string, string?> errorOf, string? instruction, object? identity)
    {
        ArgumentNullException.ThrowIfNull(errorOf);
        _errorOf = errorOf;
        Instruction = instruction;
        Identity = identity ?? this;
    }

    /// <summary>Gets what an answer must look like, as the correction repeats it.</summary>
    public string? Instruction { get; }

    /// <summary>Gets the object by which equal checks are found.</summary>
    internal object Identity { get; }

    /// <summary>Returns whether the first choice of a response passes.</summary>
    internal bool Passes(LlmResponse response) => Check(response).Error is null;

    /// <summary>Checks the first choice of a response.</summary>
    /// <returns>The error, and whether a correction may help.</returns>
    internal CheckResult Check(LlmResponse response)
    {
        (string? text, string? refusal, string? finishReason) = response switch
        {
            ChatCompletion chat => (chat.Text, chat.Refusal, chat.FinishReason),
            OtherResponse other => (other.Text, other.Refusal, other.FinishReason),
            _ => default,
        };
        if (string.IsNullOrEmpty(text))
        {
            return refusal is { Length: > 0 } ? new CheckResult($"The model refused to answer: {refusal}", MayBeCorrected: false)
                : new CheckResult("The answer has no text.", MayBeCorrected: false);
        }

        if (ErrorOf(text) is not { } error)
        {
            return default;
        }

        // More room is needed, not another answer.
        return finishReason switch
        {
            "length" => new CheckResult(
                $"The answer was cut off at the limit of its tokens (finish_reason length): {error}", MayBeCorrected: false),
            "content_filter" => new CheckResult($"The provider's content filter cut the answer: {error}", MayBeCorrected: false),
            _ => new CheckResult(error, MayBeCorrected: true) { Text = text },
        };
    }

    private string? ErrorOf(string text)
    {
        try
        {
            return _errorOf(text);
        }
        catch (Exception e)
        {
            return $"The check failed: {e.Message}";
        }
    }
}
