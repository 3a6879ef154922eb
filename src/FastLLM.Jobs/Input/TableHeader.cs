using System.Text;

namespace FastLLM.Jobs.Input;

/// <summary>Represents the names of a table's columns, from its first line.</summary>
internal sealed class TableHeader
{
    /// <summary>Trims the cells of the first line; a column without a name is named by its place.</summary>
    /// <exception cref="InvalidDataException">A name occurs twice.</exception>
    public TableHeader(string[] cells, long line)
    {
        Names = [.. cells.Select((cell, i) => cell.Trim() is { Length: > 0 } name ? name : FormattableString.Invariant($"column_{i + 1}"))];
        if (Names.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            string message = FormattableString.Invariant($"Line {line}: two columns are called \"{twice.Key}\". Rename one of them.");
            throw new InvalidDataException(message);
        }

        Utf8Names = [.. Names.Select(Encoding.UTF8.GetBytes)];
    }

    public string[] Names { get; }

    public byte[][] Utf8Names { get; }
}
