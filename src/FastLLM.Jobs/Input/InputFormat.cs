namespace FastLLM;

/// <summary>Specifies the format of an input. Gzip, Excel workbooks (<c>.xlsx</c>), Parquet files and JSON arrays are detected by their
/// first bytes, whatever the name. The elements of an array are what the lines of a file would be.</summary>
public enum InputFormat
{
    /// <summary>A table if the file's name ends with <c>.csv</c> or <c>.tsv</c>; otherwise each line is a batch line if it has a
    /// <c>body</c>, or a bare body if it has <c>messages</c> or <c>input</c>. With a template: JSON lines, or a table if the first
    /// character is neither a brace nor a bracket.</summary>
    Auto,

    /// <summary>OpenAI batch lines: <c>custom_id</c>, <c>method</c>, <c>url</c>, <c>body</c>.</summary>
    OpenAI,

    /// <summary>Bare bodies whose <c>metadata</c> belongs to the row: it is not sent, but written to the row's output.</summary>
    Cookbook,

    /// <summary>Plain rows, one JSON object per line, whose members are the columns of a template.</summary>
    Jsonl,

    /// <summary>Plain rows with commas, semicolons, tabs or vertical bars between the cells, whichever fits; the first line names the
    /// columns.</summary>
    Csv,

    /// <summary>Plain rows with tabs between the cells; the first line names the columns.</summary>
    Tsv,
}
