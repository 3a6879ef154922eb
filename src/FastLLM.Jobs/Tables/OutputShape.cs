using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Tables;

/// <summary>Represents the output of a finished job: the log itself, or a file that is made from it.</summary>
/// <param name="Path">The path of the output.</param>
/// <param name="Kind">Its content.</param>
/// <param name="IsPacked">Whether gzip packs it.</param>
internal readonly record struct OutputShape(string Path, OutputKind Kind, bool IsPacked)
{
    private const string Packed = ".gz";

    /// <summary>Gets a value indicating whether the output is the log itself.</summary>
    public bool IsLog => Kind == OutputKind.Lines && !IsPacked;

    /// <summary>Gets the path of the log, which receives the paid answers.</summary>
    public string Log => IsLog ? Path : Path + ".log.jsonl";

    /// <summary>Gets the shape of an output by its name and format.</summary>
    public static OutputShape Of(string output, OutputFormat format)
    {
        bool isPacked = output.EndsWith(Packed, StringComparison.OrdinalIgnoreCase);
        OutputKind table = System.IO.Path.GetExtension(isPacked ? output[..^Packed.Length] : output).ToUpperInvariant() switch
        {
            ".CSV" => OutputKind.Csv,
            ".TSV" or ".TAB" => OutputKind.Tsv,
            _ => OutputKind.Lines,
        };
        return new OutputShape(output, format switch
        {
            OutputFormat.OpenAI => OutputKind.Lines,
            OutputFormat.Rows when table == OutputKind.Lines => OutputKind.JsonRows,
            _ => table,
        }, isPacked);
    }
}

/// <summary>Specifies the content of an output.</summary>
internal enum OutputKind
{
    Lines,
    JsonRows,
    Csv,
    Tsv,
}
