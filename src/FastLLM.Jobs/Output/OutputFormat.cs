namespace FastLLM;

/// <summary>Specifies the content of an output when the job is done.</summary>
public enum OutputFormat
{
    /// <summary>Rows if the output's name ends with <c>.csv</c>, <c>.tsv</c> or <c>.json</c>, also before <c>.gz</c>, or with <c>.xlsx</c>
    /// or <c>.parquet</c>; OpenAI's lines for <c>.jsonl</c> and names without an ending. Other endings are refused.</summary>
    Auto,

    /// <summary>OpenAI's batch output lines; a JSON array of them if the output's name ends with <c>.json</c>.</summary>
    OpenAI,

    /// <summary>The input's columns with the answer and its details: in the form of the output's name, otherwise JSON lines.</summary>
    Rows,
}
