namespace FastLLM;

/// <summary>In which order the rows of an output file stand when a run is done.</summary>
public enum ResultOrder
{
    /// <summary>As in the input.</summary>
    Input,

    /// <summary>As they were finished.</summary>
    Completion,
}
