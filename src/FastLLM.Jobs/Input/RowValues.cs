using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Input;

/// <summary>The columns of one plain row, as text, and as the JSON object that the row carries along.</summary>
internal abstract class RowValues
{
    private const int ShownColumns = 20;

    /// <summary>Gets or sets whether a missing value is the empty text.</summary>
    public required bool AllowMissing { get; init; }

    /// <summary>Gets the folder that files are read below.</summary>
    public required string FilesBelow { get; init; }

    /// <summary>Gets the names of the columns.</summary>
    public abstract IEnumerable<string> Columns { get; }

    /// <summary>The row as a JSON object.</summary>
    public abstract ReadOnlyMemory<byte> ToJson();

    /// <summary>The names of columns, for a message.</summary>
    public static string Listed(IEnumerable<string> columns)
    {
        string[] names = [.. columns.Take(ShownColumns + 1)];
        return names.Length == 0 ? "none" : string.Join(", ", names.Take(ShownColumns)) + (names.Length > ShownColumns ? " …" : "");
    }

    /// <summary>A column's value; numbers and the like as they are written.</summary>
    /// <exception cref="JsonException">The value is missing.</exception>
    public string TextOf(string column)
    {
        if (TryGet(column, out string? text, out bool isKnown))
        {
            return text;
        }

        return AllowMissing ? "" : throw new JsonException(isKnown
            ? $"The column \"{column}\" has no value here. To ask with an empty text: --allow-missing."
            : $"There is no column \"{column}\". The columns are: {Listed(Columns)}.");
    }

    /// <summary>The file that a column's value names, as a data URL.</summary>
    /// <exception cref="JsonException">The value is missing, or leads to no file that may be read.</exception>
    public string FileOf(string column) => TextOf(column) is { Length: > 0 } path ? DataUrl.Of(path, FilesBelow) : "";

    /// <summary>Finds a value that is not missing.</summary>
    public abstract bool TryGet(string column, [NotNullWhen(true)] out string? text, out bool isKnown);
}

/// <summary>A row that is a JSON object.</summary>
internal sealed class JsonRow : RowValues
{
    private static readonly JsonReaderOptions s_options = new() { MaxDepth = JsonText.MaxDepth };

    private readonly ReadOnlyMemory<byte> _line;
    private readonly Dictionary<string, Range> _values = new(StringComparer.Ordinal);

    /// <summary>Reads the names of a line's members, and where their values stand.</summary>
    /// <exception cref="JsonException">The line is no JSON object, or a member stands twice.</exception>
    public JsonRow(ReadOnlyMemory<byte> line)
    {
        _line = line;
        if (!System.Text.Unicode.Utf8.IsValid(line.Span))
        {
            throw new JsonException("The line has bytes that are no valid UTF-8.");
        }

        var reader = new Utf8JsonReader(line.Span, s_options);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("The line is no JSON object. A plain row is one: {\"text\":\"…\"}.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = Text(ref reader);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (!_values.TryAdd(name, start..(int)reader.BytesConsumed))
            {
                throw new JsonException($"\"{name}\" stands twice in one line.");
            }
        }

        while (reader.Read())
        {
            // To the end: what follows the object makes the reader throw.
        }
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
        text = reader.TokenType == JsonTokenType.String ? Text(ref reader) : System.Text.Encoding.UTF8.GetString(value);
        return true;
    }

    private static string Text(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("A text has half of a surrogate pair, which UTF-8 cannot carry.", e);
        }
    }
}

/// <summary>A row of a table; an empty cell is a missing value.</summary>
internal sealed class TableRow(TableHeader header, string[] cells) : RowValues
{
    public override IEnumerable<string> Columns => header.Names;

    public override ReadOnlyMemory<byte> ToJson() => JsonText.Build(writer =>
    {
        writer.WriteStartObject();
        for (var i = 0; i < cells.Length; i++)
        {
            writer.WriteText(header.Utf8Names[i], cells[i]);
        }

        writer.WriteEndObject();
    });

    public override bool TryGet(string column, [NotNullWhen(true)] out string? text, out bool isKnown)
    {
        int at = Array.IndexOf(header.Names, column);
        isKnown = at >= 0;
        text = at >= 0 && cells[at].Length > 0 ? cells[at] : null;
        return text is not null;
    }
}
