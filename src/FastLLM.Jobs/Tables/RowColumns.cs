using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>Represents the columns of an input's row: a JSON object, and the cells if the input is a table.</summary>
/// <param name="Json">The columns as a JSON object, which the row's record carries; empty for none.</param>
/// <param name="Names">The names of the cells.</param>
/// <param name="Cells">The cells with their types; <see langword="null"/> if the input is not a table.</param>
internal readonly record struct RowColumns(ReadOnlyMemory<byte> Json, IReadOnlyList<string>? Names = null, Cell[]? Cells = null)
{
    /// <summary>Gets a value indicating whether the row has no columns.</summary>
    public bool IsEmpty => Cells is null && Json.IsEmpty;

    /// <summary>Reads the columns of the JSON object.</summary>
    public IEnumerable<(string Name, Cell Cell)> Read()
    {
        if (Cells is not null)
        {
            return Names!.Zip(Cells);
        }

        if (Json.IsEmpty)
        {
            return [];
        }

        using JsonDocument document = JsonDocument.Parse(Json, RowOutcome.DocumentOptions);
        return document.RootElement.ValueKind != JsonValueKind.Object ? []
            : [.. document.RootElement.EnumerateObject().Select(column => (column.NameText(), Cell.Of(column.Value)))];
    }
}
