using System.Text;
using FastLLM.Jobs.Tables;
using FastLLM.Json;
using FastLLM.Requests;

namespace FastLLM.Jobs.Input;

/// <summary>Opens an input: unpacks and decodes it, and creates the reader of its kind.</summary>
internal sealed class InputOpener(Stream file, InputFormat format, bool hasTemplate) : IDisposable
{
    private Stream _stream = file;

    /// <summary>Gets a message about how the input is read; <see langword="null"/> if its name shows it.</summary>
    public string? Notice { get; private set; }

    /// <summary>Gets or sets an array that the reader may use.</summary>
    public byte[]? Spare { get; set; }

    /// <summary>Opens the input.</summary>
    /// <param name="sheet">The sheet of a workbook.</param>
    /// <param name="reusesRows">Whether a row is valid only until the next one is read.</param>
    /// <param name="cancellationToken">Cancels the opening.</param>
    /// <returns>The reader of JSON texts, or of a table.</returns>
    /// <exception cref="InvalidDataException">The input cannot be read.</exception>
    public async ValueTask<(RowText? Texts, TableSource? Table)> OpenAsync(
        string? sheet, bool reusesRows, CancellationToken cancellationToken)
    {
        (_stream, ReadOnlyMemory<byte> begin) = await InputStream.OpenAsync(_stream, cancellationToken).ConfigureAwait(false);
        InputKind kind = InputSource.KindOf(begin.Span, format, hasTemplate);
        if (sheet is not null && kind != InputKind.Workbook)
        {
            throw new InvalidDataException("--sheet is for Excel workbooks, and the input is not one. Omit --sheet.");
        }

        if (kind is InputKind.Workbook or InputKind.Parquet)
        {
            return (null, await OpenBinaryAsync(kind, sheet, cancellationToken).ConfigureAwait(false));
        }

        Encoding? encoding = InputSource.EncodingOf(begin.Span);
        if (encoding is UnicodeEncoding)
        {
            _stream = Encoding.CreateTranscodingStream(_stream, encoding, Encoding.UTF8);
        }

        if (kind != InputKind.Text)
        {
            return (kind == InputKind.Array ? new JsonArrayReader(_stream, reusesRows)
                : new RowLines(new LineReader(_stream) { ReusesLines = reusesRows, Spare = Spare }), null);
        }

        byte separator = Separators.Of(InputSource.TextOf(begin.Span), format);
        Notice = Separators.NoticeOf(separator, format);
        var form = new TableForm { Separator = format == InputFormat.Tsv ? null : separator, Encoding = encoding };
        return (null, new TextTable(new TableReader(_stream, separator), form));
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private async ValueTask<TableSource> OpenBinaryAsync(InputKind kind, string? sheet, CancellationToken cancellationToken)
    {
        string what = kind == InputKind.Workbook ? "an Excel workbook" : "a Parquet file";
        if (format != InputFormat.Auto && !hasTemplate)
        {
            throw new InvalidDataException($"The input is {what}. Do not use --input-format, which is for text.");
        }

        if (!_stream.CanSeek)
        {
            throw new InvalidDataException(
                $"The input is {what}, which must be a file, neither compressed with gzip nor from standard input. "
                + "Unpack or save it first.");
        }

        if (kind == InputKind.Parquet)
        {
            return ParquetSupport.IsAvailable
                ? await ParquetTable.OpenAsync(_stream, cancellationToken).ConfigureAwait(false)
                : throw new InvalidDataException(ParquetSupport.Missing);
        }

        SheetTable table = SheetTable.Open(_stream, sheet);
        Notice = table.Notice;
        return table;
    }
}
