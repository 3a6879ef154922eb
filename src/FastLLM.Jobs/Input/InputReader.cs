using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Tables;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM.Jobs.Input;

/// <summary>Reads the rows of an input in order. Bodies stay the bytes of the input; a template makes requests of plain rows.</summary>
/// <param name="stream">JSON objects, one per line or as an array, or a table; see <see cref="InputKind"/>. May be packed with
/// gzip.</param>
/// <param name="format">The format of the rows.</param>
/// <param name="model">The model of rows that name none, if any.</param>
/// <param name="template">Makes requests of plain rows; <see langword="null"/> if the rows are requests.</param>
internal sealed class InputReader(Stream stream, InputFormat format = InputFormat.Auto, string? model = null, RowRequests? template = null)
    : IDisposable
{
    private const int KnownColumns = 1000;

    private readonly byte[]? _modelMember = model is null ? null : ModelMember(model);
    private readonly HashSet<string> _columns = new(StringComparer.Ordinal);
    private readonly HashSet<string> _unseen = new(template?.Columns ?? [], StringComparer.Ordinal);
    private readonly InputOpener _opener = new(stream, format, template is not null);
    private RowText? _texts;
    private TableSource? _table;
    private TableHeader? _header;
    private bool _hasRows;

    /// <summary>Gets the error of the template, after every row has been read: a column that no row has.</summary>
    public string? TemplateFault => !_hasRows ? null
        : _unseen.Count > 0 ? RowRequests.NoSuchColumn(_unseen, _columns)
        : template?.SingleBraces(_columns);

    /// <summary>Gets a note on the template, after every row has been read: columns in single braces.</summary>
    public string? TemplateNote => template?.NoteOnBraces((IReadOnlyCollection<string>?)_header?.Names ?? _columns);

    /// <summary>Gets the form of the input that an output of the same kind keeps, once the input is open.</summary>
    public TableForm Form => _table?.Form ?? new TableForm();

    /// <summary>Gets a message about how the input is read; <see langword="null"/> if its name shows it.</summary>
    public string? Notice => _opener.Notice;

    /// <summary>Detects the format of the input, and reads the header of a table. Calling it is optional.</summary>
    /// <exception cref="InvalidDataException">The input cannot be read: a table without a template, an invalid header, broken
    /// gzip.</exception>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        if (_texts is not null || _table is not null)
        {
            return;
        }

        _opener.Spare = Spare;
        (_texts, _table) = await _opener.OpenAsync(Sheet, ReusesRows, cancellationToken).ConfigureAwait(false);
        if (_table is null)
        {
            return;
        }

        (Cell[]? names, string? error) = await GuardAsync(_table, static (table, token) => table.ReadAsync(token), cancellationToken)
            .ConfigureAwait(false);
        if (names is null)
        {
            throw new InvalidDataException(error is null
                ? "The table is empty: its first line must name the columns."
                : FormattableString.Invariant($"Line {_table.Line}: {error}"));
        }

        _header = new TableHeader([.. names.Select(static name => name.ToText())], _table.Line);
        if (template is null)
        {
            string column = Array.Find(_header.Names, static name => !name.EndsWith("id", StringComparison.OrdinalIgnoreCase))
                ?? _header.Names[0];
            string example = ShellWord.Quote($"Summarize: {{{{{column}}}}}");
            throw new InvalidDataException("A table needs a prompt for its rows, with columns in double braces, such as "
                + $"--template {example}. Its columns are: {RowValues.Listed(_header.Names)}.");
        }

        if (template.FaultIn(_header.Names) is { } fault)
        {
            throw new InvalidDataException(_opener.Notice is { } notice ? $"{fault} Note: {notice}" : fault);
        }

        _unseen.Clear();
    }

    /// <summary>Gets the columns that the first line of a table names; none before it is read, and without a table.</summary>
    public IReadOnlyList<string> Header => _header?.Names ?? [];

    /// <summary>Reads the next row, without blank lines.</summary>
    /// <returns>The row, or <see langword="null"/> after the last row.</returns>
    /// <exception cref="InvalidDataException">The input cannot be read any further.</exception>
    public async ValueTask<InputRow?> ReadAsync(CancellationToken cancellationToken)
    {
        await OpenAsync(cancellationToken).ConfigureAwait(false);
        if (_table is not null)
        {
            (Cell[]? cells, string? error) = await GuardAsync(_table, static (table, token) => table.ReadAsync(token), cancellationToken)
                .ConfigureAwait(false);
            return cells is null && error is null ? null : ReadCells(cells, error);
        }

        return await GuardAsync(_texts!, static (texts, token) => texts.ReadAsync(token), cancellationToken).ConfigureAwait(false)
            is not { } text ? null
            : template is null ? Read(text) : ReadPlain(text);
    }

    /// <summary>Gets a value indicating whether the stream is closed with the reader.</summary>
    public bool OwnsStream { get; init; }

    /// <summary>Gets a value indicating whether a row is valid only until the next one is read.</summary>
    public bool ReusesRows { get; init; }

    /// <inheritdoc cref="LineReader.Spare"/>
    public byte[]? Spare
    {
        get => _texts is null ? field : _texts.Spare;
        init;
    }

    /// <summary>Gets the sheet to read of a workbook; <see langword="null"/> for the first visible one.</summary>
    public string? Sheet { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _texts?.Dispose();
        _table?.Dispose();
        if (OwnsStream)
        {
            _opener.Dispose();
        }
    }

    private static async ValueTask<T> GuardAsync<TReader, T>(
        TReader reader, Func<TReader, CancellationToken, ValueTask<T>> read, CancellationToken cancellationToken)
    {
        try
        {
            return await read(reader, cancellationToken).ConfigureAwait(false);
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException("The input has bytes that are not valid UTF-16. Save it as UTF-8.", e);
        }
    }

    private static string IdOf(long line) => line.ToString(CultureInfo.InvariantCulture);

    private InputRow Read(ReadOnlyMemory<byte> line)
    {
        string id = IdOf(_texts!.Number);
        bool hasOwnId = false;
        try
        {
            if (format == InputFormat.Jsonl)
            {
                throw new JsonException("The line is a plain row: make a request of it with --template.");
            }

            ReadOnlyMemory<byte> metadata = default;
            BatchLine request = format switch
            {
                InputFormat.OpenAI => BatchLine.Read(_texts.Keep(line)),
                InputFormat.Cookbook => ReadCookbook(line.Span, out metadata),
                _ => BatchLine.ReadAny(_texts.Keep(line)),
            };
            hasOwnId = request.CustomId is not null;
            id = request.CustomId ?? id;
            return new InputRow(_texts.Line, id, (request with { Body = WithModel(request.Body) }).ToRequest(), metadata, null);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return new InputRow(_texts.Line, id, null, default, _texts.Located(JsonFault.Describe("The line", e))) { HasOwnId = hasOwnId };
        }
    }

    private static BatchLine ReadCookbook(ReadOnlySpan<byte> line, out ReadOnlyMemory<byte> metadata)
    {
        string endpoint = BareBody.EndpointOf(line) ?? throw new JsonException(InputMessages.NoRequest);
        ReadOnlyMemory<byte> body = BareBody.WithoutMetadata(line, out metadata);
        JsonText.EnsureEncodable(metadata.Span); // the key of the body does not cover it
        return new BatchLine(null, endpoint, body, Sample: 0);
    }

    private InputRow ReadPlain(ReadOnlyMemory<byte> line)
    {
        try
        {
            var row = new JsonRow(_texts!.Keep(line)) { AllowMissing = template!.AllowMissing, FilesBelow = template.FilesBelow };
            if (_columns.Count < KnownColumns)
            {
                _columns.UnionWith(row.Columns);
            }

            _hasRows = true;
            _unseen.ExceptWith(row.Columns);
            return Ask(_texts!.Line, IdOf(_texts.Number), row, _texts.Located);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return new InputRow(_texts!.Line, IdOf(_texts.Number), null, default, _texts.Located(JsonFault.Describe("The line", e)));
        }
    }

    private InputRow ReadCells(Cell[]? cells, string? error)
    {
        long line = _table!.Line;
        int columns = _header!.Names.Length;
        if (cells is not null && cells.Length != columns)
        {
            error = FormattableString.Invariant($"The row has {cells.Length} cell{(cells.Length == 1 ? "" : "s")}, ")
                + FormattableString.Invariant($"but the header names {columns} column{(columns == 1 ? "" : "s")}. ")
                + _table.WidthAdvice(lacksCells: cells.Length < columns);
        }

        if (error is not null)
        {
            return new InputRow(line, IdOf(line), null, default, error);
        }

        var row = new TableRow(_header, cells!) { AllowMissing = template!.AllowMissing, FilesBelow = template.FilesBelow };
        InputRow read = Ask(line, IdOf(line), row, located: null);
        return read with { Columns = new RowColumns(read.Metadata, _header.Names, cells) };
    }

    private InputRow Ask(long line, string number, RowValues row, Func<string, string>? located)
    {
        string? id = null;
        ReadOnlyMemory<byte> columns = row.ToJson();
        try
        {
            id = template!.IdOf(row);
            return new InputRow(line, id ?? number, template.Create(row, id), columns, null) { HasOwnId = id is not null };
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            string error = located is null ? e.Message : located(e.Message);
            return new InputRow(line, id ?? number, null, columns, error) { HasOwnId = id is not null };
        }
    }

    private ReadOnlyMemory<byte> WithModel(ReadOnlyMemory<byte> body) =>
        _modelMember is null || RequestBody.Peek(body.Span).Model is not null ? body : BareBody.WithMember(body.Span, _modelMember);

    private static byte[] ModelMember(string model)
    {
        byte[] whole = JsonText.Build(writer =>
        {
            writer.WriteStartObject();
            writer.WriteText("model"u8, model);
            writer.WriteEndObject();
        });
        return whole[1..^1];
    }
}
