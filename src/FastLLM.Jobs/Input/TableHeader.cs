using System.Globalization;
using System.Text;

namespace FastLLM.Jobs.Input;

/// <summary>The names of a table's columns, from its first line.</summary>
internal sealed class TableHeader
{
    /// <summary>Takes the first line's cells: blanks around a name do not count, and a column without one is called by its place.</summary>
    /// <exception cref="InvalidDataException">A name stands twice.</exception>
    public TableHeader(string[] cells, long line)
    {
        Names = [.. cells.Select((cell, i) => cell.Trim() is { Length: > 0 } name ? name : string.Create(CultureInfo.InvariantCulture, $"column_{i + 1}"))];
        if (Names.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"Line {line}: two columns are called \"{twice.Key}\". Give each a name of its own."));
        }

        Utf8Names = [.. Names.Select(Encoding.UTF8.GetBytes)];
    }

    public string[] Names { get; }

    public byte[][] Utf8Names { get; }
}
