namespace FastLLM;

/// <summary>Specifies the order of the rows of an output file when the job is done.</summary>
public enum ResultOrder
{
    /// <summary>The order of the input.</summary>
    Input,

    /// <summary>The order of completion.</summary>
    Completion,
}
