using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Tables;

/// <summary>What stands at OUTPUT when a run is done: the log itself, or a file that is made of it.</summary>
/// <param name="Path">Where it stands.</param>
/// <param name="Kind">What is in it.</param>
/// <param name="IsPacked">Whether it is packed with gzip.</param>
internal readonly record struct OutputShape(string Path, OutputKind Kind, bool IsPacked)
{
    private const string Packed = ".gz";

    /// <summary>Whether OUTPUT is the log itself.</summary>
    public bool IsLog => Kind == OutputKind.Lines && !IsPacked;

    /// <summary>Where the log stands, which paid answers are written to.</summary>
    public string Log => IsLog ? Path : Path + ".log.jsonl";

    /// <summary>The shape that a name and a choice make.</summary>
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

/// <summary>What is in an output.</summary>
internal enum OutputKind
{
    Lines,
    JsonRows,
    Csv,
    Tsv,
}
