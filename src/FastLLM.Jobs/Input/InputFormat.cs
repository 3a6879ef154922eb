namespace FastLLM;

/// <summary>How the rows of an input are to be read. A gzip file is known by its first bytes, whatever it is called, and read like what is in it.</summary>
public enum InputFormat
{
    /// <summary>A table where the file's name ends with <c>.csv</c> or <c>.tsv</c>; else line by line as it looks: a batch line where there is a
    /// <c>body</c>, a bare body where there are <c>messages</c> or <c>input</c>. With a template: JSON lines, or a table where the first character is no brace.</summary>
    Auto,

    /// <summary>OpenAI batch lines: <c>custom_id</c>, <c>method</c>, <c>url</c>, <c>body</c>.</summary>
    OpenAI,

    /// <summary>Bare bodies whose <c>metadata</c> is the row's own: it is not sent, and stands in the row's output.</summary>
    Cookbook,

    /// <summary>Plain rows, one JSON object a line, whose members are the columns of a template.</summary>
    Jsonl,

    /// <summary>Plain rows with commas between the cells, or semicolons where the first line has those and no commas; the first line names the columns.</summary>
    Csv,

    /// <summary>Plain rows with tabs between the cells; the first line names the columns.</summary>
    Tsv,
}
