namespace FastLLM;

/// <summary>Specifies the content of an output when the job is done.</summary>
public enum OutputFormat
{
    /// <summary>Rows if the output's name ends with <c>.csv</c> or <c>.tsv</c>, also before <c>.gz</c>; otherwise OpenAI's lines.</summary>
    Auto,

    /// <summary>OpenAI's batch output lines.</summary>
    OpenAI,

    /// <summary>The input's columns with the answer and its details: CSV or TSV by the output's name, otherwise JSON lines.</summary>
    Rows,
}
