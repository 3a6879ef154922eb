namespace FastLLM.Jobs.Tables;

/// <summary>Represents the output of a finished job: the log itself, or a file that is made from it.</summary>
/// <param name="Path">The path of the output.</param>
/// <param name="Kind">Its content.</param>
/// <param name="IsPacked">Whether gzip packs it.</param>
internal readonly record struct OutputShape(string Path, OutputKind Kind, bool IsPacked)
{
    private const string Packed = ".gz";

    /// <summary>Gets the endings that an output may have.</summary>
    public const string Endings = ".jsonl, .json, .csv or .tsv (each also with .gz), .xlsx or .parquet";

    /// <summary>Gets the path of the log, if it is not the usual one.</summary>
    public string? OtherLog { get; init; }

    /// <summary>Gets a value indicating whether the output is the log itself.</summary>
    public bool IsLog => Kind == OutputKind.Lines && !IsPacked;

    /// <summary>Gets a value indicating whether the output is made of rows, so that it has a row without an outcome too.</summary>
    public bool IsTable => Kind is not (OutputKind.Lines or OutputKind.LineArray);

    /// <summary>Gets the path of the log, which receives the paid answers.</summary>
    public string Log => IsLog ? Path : OtherLog ?? Path + ".log.jsonl";

    /// <summary>Gets the shape of an output by its name and format.</summary>
    public static OutputShape Of(string output, OutputFormat format)
    {
        (OutputKind kind, bool isPacked) = ByEnding(output);
        return new OutputShape(output, (format, kind) switch
        {
            (OutputFormat.OpenAI, OutputKind.JsonArray) => OutputKind.LineArray,
            (OutputFormat.OpenAI, _) => OutputKind.Lines,
            (OutputFormat.Rows, OutputKind.Lines) => OutputKind.JsonRows,
            _ => kind,
        }, isPacked);
    }

    /// <summary>Gets why an output cannot be written; <see langword="null"/> if it can.</summary>
    public static string? FaultOf(string output, OutputFormat format)
    {
        if (output == Job.Pipe)
        {
            return format == OutputFormat.Rows ? "Rows are written at the end: name a file as the output." : null;
        }

        (OutputKind kind, bool isPacked) = ByEnding(output);
        string ending = EndingOf(output, isPacked);
        bool isBinary = kind is OutputKind.Workbook or OutputKind.Parquet;
        return isBinary && isPacked ? $"{output}: {ending} files are compressed already. Name the output without .gz."
            : isBinary && format == OutputFormat.OpenAI ? $"{output}: OpenAI's lines cannot be written as {ending}. Name a .jsonl file."
            : kind == OutputKind.Lines && format == OutputFormat.Auto && ending.ToUpperInvariant() is not ("" or ".JSONL" or ".NDJSON")
                ? $"{output}: the output cannot be written as {ending}. Name a file that ends with {Endings}."
            : kind == OutputKind.Parquet && !ParquetSupport.IsAvailable ? $"{output}: {ParquetSupport.Missing}"
            : null;
    }

    private static (OutputKind Kind, bool IsPacked) ByEnding(string output)
    {
        bool isPacked = output.EndsWith(Packed, StringComparison.OrdinalIgnoreCase);
        return (EndingOf(output, isPacked).ToUpperInvariant() switch
        {
            ".CSV" => OutputKind.Csv,
            ".TSV" or ".TAB" => OutputKind.Tsv,
            ".JSON" => OutputKind.JsonArray,
            ".XLSX" => OutputKind.Workbook,
            ".PARQUET" => OutputKind.Parquet,
            _ => OutputKind.Lines,
        }, isPacked);
    }

    private static string EndingOf(string output, bool isPacked) =>
        System.IO.Path.GetExtension(isPacked ? output[..^Packed.Length] : output);
}

/// <summary>Specifies the content of an output.</summary>
internal enum OutputKind
{
    /// <summary>OpenAI's batch output lines.</summary>
    Lines,

    /// <summary>OpenAI's batch output lines as the elements of a JSON array.</summary>
    LineArray,

    /// <summary>Rows as JSON objects, one per line.</summary>
    JsonRows,

    /// <summary>Rows as the elements of a JSON array.</summary>
    JsonArray,
    Csv,
    Tsv,

    /// <summary>Rows as a sheet of an Excel workbook.</summary>
    Workbook,
    Parquet,
}
