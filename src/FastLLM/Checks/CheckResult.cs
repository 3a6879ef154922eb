namespace FastLLM.Checks;

/// <summary>Represents the result of a check; <c>default</c> if the answer passes.</summary>
/// <param name="Error">The error of the answer.</param>
/// <param name="MayBeCorrected">Whether another answer may pass.</param>
internal readonly record struct CheckResult(string? Error, bool MayBeCorrected)
{
    /// <summary>Gets the text of an answer that may be corrected.</summary>
    public string Text { get; init; } = "";

    /// <summary>Creates the failure of a request whose answers do not pass.</summary>
    /// <param name="answers">The answers, the last of which has the error.</param>
    public LlmException ToFailure(params LlmResponse[] answers) => new(
        FailureKind.InvalidAnswer, answers.Length > 1 ? $"The corrected answer is not valid either: {Error}" : Error!)
    {
        Answers = answers,
    };
}
