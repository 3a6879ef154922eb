namespace FastLLM;

/// <summary>Represents the outcome of a request whose answer is a value of type <typeparamref name="T"/>, or a failure.</summary>
/// <typeparam name="T">The type of the answer.</typeparam>
public sealed class TypedAnswer<T>
{
    private readonly T? _value;

    internal TypedAnswer(ResponseWrapper<LlmResponse> outcome, T? value)
    {
        Outcome = outcome;
        _value = value;
    }

    /// <summary>Gets the answer.</summary>
    /// <exception cref="LlmException">There is none; the exception is <see cref="Error"/>.</exception>
    public T Value => Outcome.Error is null ? _value! : throw Outcome.Error;

    /// <summary>Gets a value indicating whether there is an answer.</summary>
    public bool IsSuccess => Outcome.IsSuccess;

    /// <summary>Gets why there is no answer; <see langword="null"/> if there is one. An answer that does not fit the type is of kind
    /// <see cref="FailureKind.InvalidAnswer"/>.</summary>
    public LlmException? Error => Outcome.Error;

    /// <summary>Gets the response, its usage, its cost and the number of sends.</summary>
    public ResponseWrapper<LlmResponse> Outcome { get; }

    /// <summary>Prints id and outcome, never the content.</summary>
    public override string ToString() => Outcome.ToString();
}
