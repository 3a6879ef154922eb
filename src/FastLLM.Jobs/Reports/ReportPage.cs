using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace FastLLM.Jobs.Reports;

/// <summary>Writes the page: the head, the rows as they are read, and their totals. It loads nothing and sends nothing.</summary>
/// <remarks>Text of models reaches the page in two ways only: as data in a JSON block, escaped for HTML, which the script inserts as text;
/// and through <see cref="Markup"/>, which encodes it. The content security policy allows the page's own script and style only, by their
/// hashes.</remarks>
internal sealed class ReportPage(Stream stream, int textLength) : IAsyncDisposable
{
    /// <summary>The first bytes of each page: only a file that begins with them is overwritten.</summary>
    public const string Mark =
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"generator\" content=\"fastllm report\">\n";

    private const int MaxMetadata = 2048;
    private const int MaxId = 512;

    private static readonly string s_style = Resource("report.css");
    private static readonly string s_script = Resource("report.js");

    private readonly ArrayBufferWriter<byte> _buffer = new(128 * 1024);

    private readonly Utf8JsonWriter _json = new(Stream.Null, new JsonWriterOptions
    {
        // Keeps the letters of all scripts; escapes < > & ' " and U+2028, U+2029 as \uXXXX.
        Encoder = JavaScriptEncoder.Create(UnicodeRanges.All),
        SkipValidation = true,
    });

    /// <summary>Gets the number of rows in the page.</summary>
    public long Rows { get; private set; }

    /// <summary>Gets the number of failed rows among them.</summary>
    public long FailedRows { get; private set; }

    /// <summary>Gets the number of answers that are cut.</summary>
    public long CutRows { get; private set; }

    public void Begin(string name)
    {
        Put(Mark);
        string policy = $"default-src 'none'; script-src '{Hash(s_script)}'; style-src '{Hash(s_style)}'; "
            + "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
        Put($"<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n");
        Put(new Markup().Add($"""
            <meta name="referrer" content="no-referrer">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>{name} · fastllm report</title>

            """).ToString());
        Put("<style>" + s_style + "</style>\n<script type=\"application/json\" id=\"rows\">[");
    }

    public async ValueTask AddAsync(ReportRow row, string question, CancellationToken cancellationToken)
    {
        Put(Rows == 0 ? "\n" : ",\n");
        Rows++;
        _json.Reset(_buffer);
        _json.WriteStartArray();
        _json.WriteNumberValue(row.Line);
        Write(Text.Cut(row.Id, MaxId));
        _json.WriteNumberValue(!row.Succeeded ? 3 : row.IsCached ? 1 : row.IsShared ? 2 : 0);
        Write(Text.Cut(row.Succeeded ? row.FinishReason : row.Failure, 80));
        Write(Text.Cut(row.Model, 80));
        Write(row.Latency);
        Write(row.PromptTokens);
        Write(row.CompletionTokens);
        Write(row.Status);
        Write(row.Attempts);
        Write((row.At ?? row.Created)?.ToUnixTimeMilliseconds());
        _json.WriteStringValue(row.Cost?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "");
        Write(Text.Cut(row.Metadata ?? "", MaxMetadata));
        string words = Text.Cut(row.Words, textLength);
        Write(words);
        _json.WriteNumberValue(row.Words.Length - words.Length);
        Write(Text.Cut(question, textLength));
        _json.WriteEndArray();
        _json.Flush();
        FailedRows += row.Succeeded ? 0 : 1;
        CutRows += words.Length < row.Words.Length ? 1 : 0;
        if (_buffer.WrittenCount > 64 * 1024)
        {
            await SendAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask EndAsync(Markup body, CancellationToken cancellationToken)
    {
        Put("\n]</script>\n</head>\n<body>\n");
        Put(body.ToString());
        Put("<script>" + s_script + "</script>\n</body>\n</html>\n");
        await SendAsync(cancellationToken).ConfigureAwait(false);
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => _json.DisposeAsync();

    private async ValueTask SendAsync(CancellationToken cancellationToken)
    {
        await stream.WriteAsync(_buffer.WrittenMemory, cancellationToken).ConfigureAwait(false);
        _buffer.ResetWrittenCount();
    }

    private void Put(string text) => Encoding.UTF8.GetBytes(text, _buffer);

    // The writer replaces half of a surrogate pair by U+FFFD.
    private void Write(string text) => _json.WriteStringValue(text);

    private void Write(long? number)
    {
        if (number is { } known)
        {
            _json.WriteNumberValue(known);
        }
        else
        {
            _json.WriteNullValue();
        }
    }

    private static string Hash(string text) => "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string Resource(string name)
    {
        using var reader = new StreamReader(typeof(ReportPage).Assembly.GetManifestResourceStream(name)!, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n"); // browsers hash the text with LF
    }
}
