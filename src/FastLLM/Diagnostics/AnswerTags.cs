namespace FastLLM.Diagnostics;

/// <summary>Represents the attributes of the measurements of answers that one model gave.</summary>
internal sealed class AnswerTags
{
    /// <param name="operation">The attributes of the operation.</param>
    /// <param name="model">The model that answered, if it is known.</param>
    public AnswerTags(KeyValuePair<string, object?>[] operation, string? model)
    {
        Model = model;
        Duration = model is null ? operation : [.. operation, new(Telemetry.ResponseModel, model)];
        Input = [.. Duration, new(Telemetry.TokenType, "input")];
        Output = [.. Duration, new(Telemetry.TokenType, "output")];
    }

    /// <summary>Gets the model that answered; <see langword="null"/> if it is not known.</summary>
    public string? Model { get; }

    /// <summary>Gets the attributes of a duration without a failure.</summary>
    public KeyValuePair<string, object?>[] Duration { get; }

    /// <summary>Gets the attributes of a count of input tokens.</summary>
    public KeyValuePair<string, object?>[] Input { get; }

    /// <summary>Gets the attributes of a count of output tokens.</summary>
    public KeyValuePair<string, object?>[] Output { get; }
}
