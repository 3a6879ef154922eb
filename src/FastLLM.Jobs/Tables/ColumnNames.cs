using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>Collects the columns of an input's rows in the order of their first occurrence, and what the output needs to know of their
/// values.</summary>
/// <param name="kind">The form of the output.</param>
internal sealed class ColumnNames(OutputKind kind = OutputKind.Csv)
{
    private const int MaxColumns = 16_384; // of a spreadsheet

    private readonly List<string> _names = [];
    private readonly List<byte[]> _utf8Names = [];
    private readonly List<ColumnKinds> _kinds = [];
    private readonly Dictionary<string, int> _places = new(StringComparer.Ordinal);

    /// <summary>Gets the columns of the input.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>Gets what the values of each column are, if the output has types.</summary>
    public IReadOnlyList<ColumnKinds> Kinds => _kinds;

    /// <summary>Gets the place of a column, or −1.</summary>
    public int PlaceOf(string name) => _places.GetValueOrDefault(name, -1);

    /// <summary>Gets a name that no column has: the given one, or it with the prefix <c>llm_</c>.</summary>
    public string Free(string name)
    {
        while (_places.ContainsKey(name))
        {
            name = "llm_" + name;
        }

        return name;
    }

    /// <summary>Adds the columns of a row.</summary>
    /// <exception cref="InvalidDataException">The output cannot hold the row: it has too many columns, or a text is too long.</exception>
    public void See(in RowColumns row)
    {
        if (row.Cells is { } cells)
        {
            for (var i = 0; i < cells.Length; i++)
            {
                string name = row.Names![i];
                int place = i < _names.Count && ReferenceEquals(_names[i], name) ? i : Add(name);
                if (kind is OutputKind.Parquet or OutputKind.Workbook)
                {
                    Note(place, ColumnKind.Of(cells[i]), (cells[i].Value as string)?.Length ?? 0);
                }
            }

            return;
        }

        See(row.Json.Span);
    }

    /// <summary>Adds the columns that a table names, also if it has no rows.</summary>
    /// <inheritdoc cref="See(in RowColumns)"/>
    public void See(IReadOnlyList<string> header)
    {
        foreach (string name in header)
        {
            Add(name);
        }
    }

    /// <summary>Adds the columns of a JSON object, or of nothing.</summary>
    /// <inheritdoc cref="See(in RowColumns)"/>
    public void See(ReadOnlySpan<byte> columns)
    {
        if (columns.IsEmpty)
        {
            return;
        }

        var reader = new Utf8JsonReader(columns, RowOutcome.JsonOptions);
        reader.Read();
        for (var i = 0; reader.Read() && reader.TokenType == JsonTokenType.PropertyName; i++)
        {
            // Nearly always the columns of the row before: compared without allocating.
            int place = i < _names.Count && reader.TextIs(_utf8Names[i]) ? i : Add(reader.Text());
            reader.Read();
            if (kind is OutputKind.Parquet or OutputKind.Workbook)
            {
                ColumnKinds seen = ColumnKind.Of(ref reader);
                var start = (int)reader.TokenStartIndex;
                bool isText = seen == ColumnKinds.Text;
                int length = isText && reader.ValueSpan.Length > WorkbookWriter.MaxTextLength ? reader.Text().Length : 0;
                reader.Skip();
                Note(place, seen, isText ? length : Encoding.UTF8.GetCharCount(columns[start..(int)reader.BytesConsumed]));
            }
            else
            {
                reader.Skip();
            }
        }
    }

    private void Note(int place, ColumnKinds seen, int length)
    {
        _kinds[place] |= seen;
        if (kind == OutputKind.Workbook && length > WorkbookWriter.MaxTextLength && (seen & (ColumnKinds.Text | ColumnKinds.Other)) != 0)
        {
            throw new InvalidDataException(FormattableString.Invariant(
                $"A value of the column \"{_names[place]}\" is longer than {WorkbookWriter.MaxTextLength:N0} characters, ")
                + "which a cell of an Excel workbook cannot hold. Write .csv, .parquet or .jsonl instead.");
        }
    }

    private int Add(string name)
    {
        if (_places.TryGetValue(name, out int place))
        {
            return place;
        }

        if (_names.Count == MaxColumns)
        {
            throw new InvalidDataException(
                $"The rows have more than {MaxColumns} columns, too many for a table. Write OpenAI's lines: --output-format openai.");
        }

        _names.Add(name);
        _utf8Names.Add(Encoding.UTF8.GetBytes(name));
        _kinds.Add(ColumnKinds.None);
        _places.Add(name, _names.Count - 1);
        return _names.Count - 1;
    }
}
