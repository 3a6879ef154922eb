using System.Text;
using Parquet.Schema;

namespace FastLLM.Jobs.Tables;

/// <summary>Represents the form of an input table, as far as an output of the same kind keeps it.</summary>
/// <remarks>The default is UTF-8 without a BOM.</remarks>
internal sealed record TableForm
{
    /// <summary>Gets the separator of a CSV file.</summary>
    public byte? Separator { get; init; }

    /// <summary>Gets the encoding of a text file, with its BOM; <see langword="null"/> for UTF-8 without one.</summary>
    public Encoding? Encoding { get; init; }

    /// <summary>Gets the name of the sheet of a workbook.</summary>
    public string? Sheet { get; init; }

    /// <summary>Gets the columns of a Parquet file by their names.</summary>
    public IReadOnlyDictionary<string, DataField> Fields { get; init; } = new Dictionary<string, DataField>();
}
