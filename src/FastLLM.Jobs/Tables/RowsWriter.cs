using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>Writes outcomes as rows of a table: the input's columns, then the answer and its details.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The writer holds only memory.")]
internal sealed class RowsWriter
{
    private static readonly JsonWriterOptions s_options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private readonly Stream _stream;
    private readonly OutputKind _kind;
    private readonly ColumnNames _columns;
    private readonly string[] _added;
    private readonly bool _withId;
    private readonly Utf8JsonWriter _json;
    private StringBuilder _line = new();
    private readonly Dictionary<string, int> _places = new(StringComparer.Ordinal);

    public RowsWriter(Stream stream, OutputKind kind, ColumnNames columns, bool withId)
    {
        _stream = stream;
        _kind = kind;
        _columns = columns;
        _withId = withId;
        _added = columns.Added(withId);
        _json = new Utf8JsonWriter(stream, s_options);
        for (var i = 0; i < columns.Names.Count; i++)
        {
            _places.Add(columns.Names[i], i);
        }

        if (kind != OutputKind.JsonRows)
        {
            WriteCells([.. withId ? _added.Take(1) : [], .. columns.Names, .. withId ? _added.Skip(1) : _added]);
        }
    }

    /// <summary>Writes a row.</summary>
    /// <param name="columns">The row's columns as a JSON object; empty for none.</param>
    /// <param name="outcome">The outcome.</param>
    public void Write(ReadOnlyMemory<byte> columns, in RowOutcome outcome)
    {
        using JsonDocument? document = columns.IsEmpty ? null : JsonDocument.Parse(columns, RowOutcome.DocumentOptions);
        string? error = document is null && !_withId && outcome.Error is not null ? $"{outcome.CustomId}: {outcome.Error}" : outcome.Error;
        if (_kind == OutputKind.JsonRows)
        {
            WriteJson(document, outcome, error);
        }
        else
        {
            WriteTable(document, outcome, error);
        }
    }

    private void WriteJson(JsonDocument? columns, in RowOutcome outcome, string? error)
    {
        _json.Reset(_stream);
        _json.WriteStartObject();
        int next = 0;
        if (_withId)
        {
            _json.WriteString(_added[next++], outcome.CustomId);
        }

        if (columns?.RootElement.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty column in columns.RootElement.EnumerateObject())
            {
                _json.WritePropertyName(column.NameText());
                _json.WriteRawValue(column.Value.RawBytes(), skipInputValidation: true);
            }
        }

        if (outcome.Json is { } json)
        {
            _json.WritePropertyName(_added[next++]);
            _json.WriteRawValue(json, skipInputValidation: true);
        }
        else
        {
            _json.WriteString(_added[next++], outcome.Text);
        }

        _json.WriteString(_added[next++], outcome.FinishReason);
        _json.WriteString(_added[next++], error);
        foreach (string? number in (ReadOnlySpan<string?>)[outcome.PromptTokens, outcome.CompletionTokens, outcome.Cost])
        {
            _json.WritePropertyName(_added[next++]);
            _json.WriteRawValue(number ?? "null", skipInputValidation: true);
        }

        _json.WriteEndObject();
        _json.Flush();
        _stream.Write("\n"u8);
    }

    private void WriteTable(JsonDocument? columns, in RowOutcome outcome, string? error)
    {
        int first = _withId ? 1 : 0;
        var cells = new string?[_columns.Names.Count + _added.Length];
        if (_withId)
        {
            cells[0] = outcome.CustomId;
        }

        if (columns?.RootElement.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty column in columns.RootElement.EnumerateObject())
            {
                // A kept record may carry a column that the input no longer has.
                if (_places.TryGetValue(column.NameText(), out int place))
                {
                    cells[first + place] = TextOf(column.Value);
                }
            }
        }

        string? answer = outcome.Text ?? outcome.Json;
        string?[] own = [answer, outcome.FinishReason, error, outcome.PromptTokens, outcome.CompletionTokens, outcome.Cost];
        own.CopyTo(cells, first + _columns.Names.Count);
        WriteCells(cells);
    }

    private static string? TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.Text(),
        JsonValueKind.Null => null,
        _ => value.RawText(),
    };

    private void WriteCells(string?[] cells)
    {
        char separator = _kind == OutputKind.Tsv ? '\t' : ',';
        _line.Clear();
        for (var i = 0; i < cells.Length; i++)
        {
            if (i > 0)
            {
                _line.Append(separator);
            }

            TableCell.Append(_line, cells[i] ?? "", separator);
        }

        _line.Append('\n');
        _stream.Write(Encoding.UTF8.GetBytes(_line.ToString()));
        if (_line.Capacity > 1 << 20)
        {
            _line = new StringBuilder();
        }
    }
}
