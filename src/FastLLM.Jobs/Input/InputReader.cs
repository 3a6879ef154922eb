using System.Globalization;
using System.Text.Json;
using FastLLM.Diagnostics;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM.Jobs.Input;

/// <summary>Reads the rows of an input in order. Bodies stay the bytes of the input; a template makes requests of plain rows.</summary>
/// <param name="stream">UTF-8: one JSON object per line, or a table; may be packed with gzip.</param>
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
    private Stream _stream = stream;
    private LineReader? _lines;
    private TableReader? _table;
    private TableHeader? _header;
    private bool _hasRows;

    /// <summary>Gets the error of the template, after every row has been read: a column that no row has.</summary>
    public string? TemplateFault => !_hasRows ? null
        : _unseen.Count > 0 ? RowRequests.NoSuchColumn(_unseen, _columns)
        : template?.SingleBraces(_columns);

    /// <summary>Gets a note on the template, after every row has been read: columns in single braces.</summary>
    public string? TemplateNote => template?.NoteOnBraces((IReadOnlyCollection<string>?)_header?.Names ?? _columns);

    /// <summary>Detects the format of the input, and reads the header of a table. Calling it is optional.</summary>
    /// <exception cref="InvalidDataException">The input cannot be read: a table without a template, an invalid header, broken
    /// gzip.</exception>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        if (_lines is not null || _table is not null)
        {
            return;
        }

        (_stream, ReadOnlyMemory<byte> begin) = await InputStream.OpenAsync(_stream, cancellationToken).ConfigureAwait(false);
        if (InputSource.SeparatorOf(begin.Span, format, template is not null) is not { } separator)
        {
            _lines = new LineReader(_stream) { ReusesLines = ReusesRows, Spare = Spare };
            return;
        }

        _table = new TableReader(_stream, separator);
        (string[]? names, string? error) = await _table.ReadAsync(cancellationToken).ConfigureAwait(false);
        if (names is null)
        {
            throw new InvalidDataException(error is null
                ? "The table is empty: its first line must name the columns."
                : FormattableString.Invariant($"Line {_table.Line}: {error}"));
        }

        _header = new TableHeader(names, _table.Line);
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
            throw new InvalidDataException(fault);
        }

        _unseen.Clear();
    }

    /// <summary>Reads the next row, without blank lines.</summary>
    /// <returns>The row, or <see langword="null"/> after the last row.</returns>
    /// <exception cref="InvalidDataException">The input cannot be read any further.</exception>
    public async ValueTask<InputRow?> ReadAsync(CancellationToken cancellationToken)
    {
        await OpenAsync(cancellationToken).ConfigureAwait(false);
        if (_table is not null)
        {
            (string[]? cells, string? error) = await _table.ReadAsync(cancellationToken).ConfigureAwait(false);
            return cells is null && error is null ? null : ReadCells(cells, error);
        }

        while (await _lines!.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.Span.ContainsAnyExcept(" \t\r"u8))
            {
                return template is null ? Read(line) : ReadPlain(line);
            }
        }

        return null;
    }

    /// <summary>Gets a value indicating whether the stream is closed with the reader.</summary>
    public bool OwnsStream { get; init; }

    /// <summary>Gets a value indicating whether a row is valid only until the next one is read.</summary>
    public bool ReusesRows { get; init; }

    /// <inheritdoc cref="LineReader.Spare"/>
    public byte[]? Spare
    {
        get => _lines is null ? field : _lines.Spare;
        init;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _lines?.Dispose();
        _table?.Dispose();
        if (OwnsStream)
        {
            _stream.Dispose();
        }
    }

    private static string IdOf(long line) => line.ToString(CultureInfo.InvariantCulture);

    private InputRow Read(ReadOnlyMemory<byte> line)
    {
        string id = IdOf(_lines!.Line);
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
                InputFormat.OpenAI => BatchLine.Read(_lines.Keep(line)),
                InputFormat.Cookbook => ReadCookbook(line.Span, out metadata),
                _ => BatchLine.ReadAny(_lines.Keep(line)),
            };
            hasOwnId = request.CustomId is not null;
            id = request.CustomId ?? id;
            return new InputRow(_lines.Line, id, (request with { Body = WithModel(request.Body) }).ToRequest(), metadata, null);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return new InputRow(_lines.Line, id, null, default, JsonFault.Describe("The line", e)) { HasOwnId = hasOwnId };
        }
    }

    private static BatchLine ReadCookbook(ReadOnlySpan<byte> line, out ReadOnlyMemory<byte> metadata)
    {
        string endpoint = BareBody.EndpointOf(line) ?? throw new JsonException(InputMessages.NoRequest);
        return new BatchLine(null, endpoint, BareBody.WithoutMetadata(line, out metadata), Sample: 0);
    }

    private InputRow ReadPlain(ReadOnlyMemory<byte> line)
    {
        try
        {
            var row = new JsonRow(_lines!.Keep(line)) { AllowMissing = template!.AllowMissing, FilesBelow = template.FilesBelow };
            if (_columns.Count < KnownColumns)
            {
                _columns.UnionWith(row.Columns);
            }

            _hasRows = true;
            _unseen.ExceptWith(row.Columns);
            return Ask(_lines!.Line, row);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return new InputRow(_lines!.Line, IdOf(_lines.Line), null, default, JsonFault.Describe("The line", e));
        }
    }

    private InputRow ReadCells(string[]? cells, string? error)
    {
        long line = _table!.Line;
        int columns = _header!.Names.Length;
        if (cells is not null && cells.Length != columns)
        {
            error = FormattableString.Invariant($"The row has {cells.Length} cells, but the header names {columns} columns. ")
                + "A cell with a separator in it needs quotes around it.";
        }

        return error is not null
            ? new InputRow(line, IdOf(line), null, default, error)
            : Ask(line, new TableRow(_header, cells!) { AllowMissing = template!.AllowMissing, FilesBelow = template.FilesBelow });
    }

    private InputRow Ask(long line, RowValues row)
    {
        string? id = null;
        ReadOnlyMemory<byte> columns = row.ToJson();
        try
        {
            id = template!.IdOf(row);
            return new InputRow(line, id ?? IdOf(line), template.Create(row, id), columns, null) { HasOwnId = id is not null };
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return new InputRow(line, id ?? IdOf(line), null, columns, e.Message) { HasOwnId = id is not null };
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
