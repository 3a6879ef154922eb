using System.Text.Encodings.Web;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Tables;

/// <summary>Writes rows as JSON objects, one per line or as an array. The input's values are written as they are.</summary>
internal sealed class JsonRowsWriter : TableWriter
{
    private static readonly JsonWriterOptions s_options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private readonly Stream _stream;
    private readonly TableLayout _layout;
    private readonly bool _isArray;
    private readonly Utf8JsonWriter _json;
    private bool _hasRows;

    public JsonRowsWriter(Stream stream, TableLayout layout, bool isArray)
    {
        _stream = stream;
        _layout = layout;
        _isArray = isArray;
        _json = new Utf8JsonWriter(stream, s_options);
    }

    public override ValueTask WriteAsync(OutputRow row, CancellationToken cancellationToken)
    {
        if (_isArray)
        {
            _stream.Write(_hasRows ? ",\n"u8 : "[\n"u8);
        }

        _hasRows = true;
        _json.Reset(_stream);
        _json.WriteStartObject();
        if (_layout.IdName is { } id)
        {
            _json.WriteString(id, row.Id);
        }

        WriteOwn(row.Own);
        for (var i = 0; i < row.Added.Length; i++)
        {
            _json.WritePropertyName(_layout.Answer.Names[i]);
            row.Added[i].WriteJson(_json);
        }

        _json.WriteEndObject();
        _json.Flush();
        _stream.Write(_isArray ? default : "\n"u8);
        return default;
    }

    public override ValueTask EndAsync(CancellationToken cancellationToken)
    {
        if (_isArray)
        {
            _stream.Write(_hasRows ? "\n]\n"u8 : "[]\n"u8);
        }

        return default;
    }

    public override ValueTask DisposeAsync() => _json.DisposeAsync();

    // The bytes of the JSON, since a record may carry what only they hold, such as the order of members.
    private void WriteOwn(in RowColumns own)
    {
        if (own.Json.IsEmpty)
        {
            return;
        }

        using JsonDocument document = JsonDocument.Parse(own.Json, RowOutcome.DocumentOptions);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (JsonProperty column in document.RootElement.EnumerateObject())
        {
            _json.WritePropertyName(column.NameText());
            _json.WriteRawValue(column.Value.RawBytes(), skipInputValidation: true);
        }
    }
}
