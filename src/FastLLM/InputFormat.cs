namespace FastLLM;

/// <summary>How the lines of an input file are to be read.</summary>
public enum InputFormat
{
    /// <summary>Line by line as it looks: a batch line where there is a <c>body</c>, a bare body where there are <c>messages</c> or <c>input</c>.</summary>
    Auto,

    /// <summary>OpenAI batch lines: <c>custom_id</c>, <c>method</c>, <c>url</c>, <c>body</c>.</summary>
    OpenAI,

    /// <summary>Bare bodies whose <c>metadata</c> is the row's own: it is not sent, and stands in the row's output.</summary>
    Cookbook,
}
