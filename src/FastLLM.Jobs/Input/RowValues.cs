using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Tables;
using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>Base class for plain rows: their columns as text, and as the JSON object that is the row's metadata.</summary>
internal abstract class RowValues
{
    private const int ShownColumns = 20;

    /// <summary>Gets a value indicating whether a missing value is empty text.</summary>
    public required bool AllowMissing { get; init; }

    /// <summary>Gets the folder that files are read from.</summary>
    public required string FilesBelow { get; init; }

    /// <summary>Gets the names of the columns.</summary>
    public abstract IEnumerable<string> Columns { get; }

    /// <summary>Gets the row as a JSON object.</summary>
    public abstract ReadOnlyMemory<byte> ToJson();

    /// <summary>Lists the names of columns for a message.</summary>
    public static string Listed(IEnumerable<string> columns)
    {
        string[] names = [.. columns.Take(ShownColumns + 1)];
        return names.Length == 0 ? "none" : string.Join(", ", names.Take(ShownColumns)) + (names.Length > ShownColumns ? " …" : "");
    }

    /// <summary>Gets the value of a column; numbers and other JSON as written.</summary>
    /// <exception cref="JsonException">The value is missing.</exception>
    public string TextOf(string column)
    {
        if (TryGet(column, out string? text, out bool isKnown))
        {
            return text;
        }

        return AllowMissing ? "" : throw new JsonException(isKnown
            ? $"The column \"{column}\" is empty. To send empty text, add --allow-missing."
            : $"There is no column \"{column}\".{Suggestion.Sentence(column, Columns)} The columns are: {Listed(Columns)}.");
    }

    /// <summary>Gets the file that a column names as a data URL.</summary>
    /// <exception cref="JsonException">The value is missing, or the file may not be read.</exception>
    public string FileOf(string column) => TextOf(column) is { Length: > 0 } path ? DataUrl.Of(path, FilesBelow) : "";

    /// <summary>Gets the value of a column unless it is missing.</summary>
    public abstract bool TryGet(string column, [NotNullWhen(true)] out string? text, out bool isKnown);
}

/// <summary>Represents a row that is a JSON object.</summary>
internal sealed class JsonRow : RowValues
{
    private static readonly JsonReaderOptions s_options = new() { MaxDepth = JsonText.MaxDepth };

    private readonly ReadOnlyMemory<byte> _line;
    private readonly Dictionary<string, Range> _values = new(StringComparer.Ordinal);

    /// <summary>Reads the names of a line's members and the ranges of their values.</summary>
    /// <exception cref="JsonException">The line is not a JSON object, or a member occurs twice.</exception>
    public JsonRow(ReadOnlyMemory<byte> line)
    {
        _line = line;
        if (!System.Text.Unicode.Utf8.IsValid(line.Span))
        {
            throw new JsonException("The line has bytes that are not valid UTF-8.");
        }

        var reader = new Utf8JsonReader(line.Span, s_options);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("The line is not a JSON object. A plain row is one: {\"text\":\"…\"}.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = JsonText.StringOf(ref reader);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (!_values.TryAdd(name, start..(int)reader.BytesConsumed))
            {
                throw new JsonException($"\"{name}\" occurs twice in one line.");
            }
        }

        while (reader.Read())
        {
            // Reads to the end: anything after the object makes the reader throw.
        }

        JsonText.EnsureEncodable(line.Span); // also what the template does not use: it is copied to the output
    }

    public override IEnumerable<string> Columns => _values.Keys;

    public override ReadOnlyMemory<byte> ToJson() => _line;

    public override bool TryGet(string column, [NotNullWhen(true)] out string? text, out bool isKnown)
    {
        isKnown = _values.TryGetValue(column, out Range range);
        ReadOnlySpan<byte> value = isKnown ? _line.Span[range] : "null"u8;
        if (value.SequenceEqual("null"u8))
        {
            text = null;
            return false;
        }

        var reader = new Utf8JsonReader(value, s_options);
        reader.Read();
        text = reader.TokenType == JsonTokenType.String ? JsonText.StringOf(ref reader) : System.Text.Encoding.UTF8.GetString(value);
        return true;
    }
}

/// <summary>Represents a row of a table; an empty cell is a missing value.</summary>
internal sealed class TableRow(TableHeader header, Cell[] cells) : RowValues
{
    public override IEnumerable<string> Columns => header.Names;

    public override ReadOnlyMemory<byte> ToJson() => JsonText.Build(writer =>
    {
        writer.WriteStartObject();
        for (var i = 0; i < cells.Length; i++)
        {
            if (cells[i].Kind == CellKind.Text)
            {
                writer.WriteText(header.Utf8Names[i], (string)cells[i].Value!);
                continue;
            }

            writer.WritePropertyName(header.Utf8Names[i]);
            cells[i].WriteJson(writer);
        }

        writer.WriteEndObject();
    });

    public override bool TryGet(string column, [NotNullWhen(true)] out string? text, out bool isKnown)
    {
        int at = Array.IndexOf(header.Names, column);
        isKnown = at >= 0;
        text = at >= 0 && !cells[at].IsEmpty ? cells[at].ToText() : null;
        return text is not null;
    }
}
