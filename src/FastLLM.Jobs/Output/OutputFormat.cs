namespace FastLLM;

/// <summary>What stands in an output when the run is done.</summary>
public enum OutputFormat
{
    /// <summary>Rows where the output's name ends with <c>.csv</c> or <c>.tsv</c> (also with <c>.gz</c> behind it); else OpenAI's lines.</summary>
    Auto,

    /// <summary>OpenAI's batch output lines.</summary>
    OpenAI,

    /// <summary>The input's columns with the answer and what there is to say of it: CSV or TSV by the output's name, else JSON lines.</summary>
    Rows,
}
