using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FastLLM.Jobs.Answers;
using FastLLM.Jobs.Planning;
using FastLLM.Json;

namespace FastLLM.Jobs.Output;

/// <summary>Writes outcomes as OpenAI's batch output lines: success and failure in one form, with one extra member.</summary>
/// <remarks>
/// <para>A line is a success exactly if <c>error</c> is null, the status is 2xx and the body has no <c>error</c>. A failure that the HTTP
/// answer shows is written as that answer; any other failure has no response, but an error with code and message.</para>
/// <para>Not safe for concurrent use.</para>
/// </remarks>
/// <param name="withOwnMember">Whether lines have the member <c>fastllm</c>. Without it, a resume matches rows by id alone.</param>
/// <param name="time">The clock for the time of writing; <see langword="null"/> to leave it out.</param>
/// <param name="limitedBy">Gets the bottleneck of the run; <see langword="null"/> to leave it out.</param>
/// <param name="withCosts">Whether rows without a cost state 0.</param>
/// <param name="isSimulated">Whether the answers are made up.</param>
/// <param name="refresh">The number of the refresh that is under way; 0 for none.</param>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "The writer holds only memory.")]
internal sealed class OutputRecord(
    bool withOwnMember, TimeProvider? time = null, Func<Bottleneck>? limitedBy = null, bool withCosts = false, bool isSimulated = false,
    long refresh = 0)
{
    // Long because each member of a line is written by hand, without a copy of the body.
    private const int RetainedBytes = 1 << 20;
    private const string InvalidRow = "invalid_row";

    private static readonly JsonWriterOptions s_writerOptions = new()
    {
        // JSON parsers read the file, not browsers: text stays legible. Control characters are escaped.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private static readonly byte[][] s_bottlenecks =
        [.. Enum.GetValues<Bottleneck>().Select(bottleneck => Encoding.UTF8.GetBytes(SnakeCase(bottleneck)))];

    private readonly Utf8JsonWriter _values = new(Stream.Null, s_writerOptions);
    private ArrayBufferWriter<byte> _line = new(4096);
    private int _replaced;

    /// <summary>Writes a line with its LF; the bytes are valid until the next call.</summary>
    /// <param name="customId">The row's id.</param>
    /// <param name="outcome">The outcome.</param>
    /// <param name="metadata">The metadata of the row as valid JSON; empty for none.</param>
    public ReadOnlyMemory<byte> Write(string customId, ResponseWrapper<LlmResponse> outcome, ReadOnlySpan<byte> metadata = default)
    {
        Begin(outcome.RequestId, customId, outcome.Error is null ? outcome.Response.RawBody.Length : 0);
        if (outcome.Error is not { } error)
        {
            BeginResponse(outcome.Response.StatusCode, outcome.RequestId);
            WriteReceived(outcome.Response.RawBody.Span);
            _line.Write("},\"error\":null"u8);
        }
        else if (error.StatusCode is { } status && ShowsFailure(status, error.Body))
        {
            BeginResponse(status, outcome.RequestId);
            WriteErrorBody(error);
            _line.Write("},\"error\":null"u8);
        }
        else
        {
            WriteError(SnakeCase(error.Kind), error.Message);
        }

        if (withOwnMember)
        {
            WriteOwn(outcome, metadata);
        }

        return End();
    }

    /// <summary>Writes the line of an invalid row. The bytes are valid until the next call.</summary>
    /// <param name="customId">The row's id, or the name that stands for it.</param>
    /// <param name="message">The error.</param>
    /// <param name="metadata">The metadata of the row as valid JSON; empty for none.</param>
    public ReadOnlyMemory<byte> WriteInvalid(string customId, string message, ReadOnlySpan<byte> metadata = default)
    {
        Begin(RowIndex.Fingerprint(customId).ToString("x16", CultureInfo.InvariantCulture), customId);
        WriteError(InvalidRow, message);
        if (withOwnMember)
        {
            // The key of no request: a corrected row has another key, so it is sent.
            _line.Write(",\"fastllm\":{\"key\":"u8);
            WriteText(default(RequestKey).ToString());
            _line.Write(",\"attempts\":0"u8);
            WriteMoment();
            WriteRefresh();
            WriteFailure(InvalidRow, message);
            WriteMetadata(metadata);
            _line.Write("}"u8);
        }

        return End();
    }

    /// <summary>Returns the id of a record: the begin of the id of its request, which is the request's key.</summary>
    public static string IdOf(string requestId) => string.Concat("batch_req_", requestId.AsSpan(0, Math.Min(24, requestId.Length)));

    // RateLimited is rate_limited in files.
    private static string SnakeCase<T>(T name)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(name.ToString());

    // A large record gets its buffer at once, since a growing buffer doubles; large records that follow each other share it.
    private void Begin(string requestId, string customId, int body = 0)
    {
        int room = body + (body / 8);
        if (room > RetainedBytes && room > _line.Capacity)
        {
            _line = new ArrayBufferWriter<byte>(room + RetainedBytes);
        }
        else if (_line.Capacity > RetainedBytes && _line.Capacity / 4 > room)
        {
            _line = new ArrayBufferWriter<byte>(4096);
        }

        _line.ResetWrittenCount();
        _replaced = 0;
        _line.Write("{\"id\":"u8);
        WriteText(IdOf(requestId));
        _line.Write(",\"custom_id\":"u8);
        WriteText(customId);
    }

    private ReadOnlyMemory<byte> End()
    {
        _line.Write("}\n"u8);
        return _line.WrittenMemory;
    }

    private void BeginResponse(int status, string requestId)
    {
        _line.Write(",\"response\":{\"status_code\":"u8);
        WriteNumber(status);
        _line.Write(",\"request_id\":"u8);
        WriteText(requestId);
        _line.Write(",\"body\":"u8);
    }

    private void WriteError(string code, string message)
    {
        _line.Write(",\"response\":null,\"error\":{\"code\":"u8);
        WriteText(code);
        _line.Write(",\"message\":"u8);
        WriteText(message);
        _line.Write("}"u8);
    }

    // The provider's body if it is whole JSON; otherwise the failure in OpenAI's form.
    private void WriteErrorBody(LlmException error)
    {
        if (TryRead(error.Body, out _))
        {
            WriteReceived(Encoding.UTF8.GetBytes(error.Body!));
            return;
        }

        _line.Write("{\"error\":{\"message\":"u8);
        WriteText(error.Message);
        _line.Write(",\"type\":"u8);
        WriteText(SnakeCase(error.Kind));
        _line.Write(",\"param\":"u8);
        WriteText(error.Parameter);
        _line.Write(",\"code\":"u8);
        WriteText(error.Code);
        _line.Write("}}"u8);
    }

    private void WriteOwn(ResponseWrapper outcome, ReadOnlySpan<byte> metadata)
    {
        _line.Write(",\"fastllm\":{\"key\":"u8);
        WriteText(outcome.RequestId);
        _line.Write(",\"attempts\":"u8);
        WriteNumber(outcome.Attempts);
        if (outcome.Latency > TimeSpan.Zero)
        {
            _line.Write(",\"latency_ms\":"u8);
            WriteNumber((long)Math.Round(outcome.Latency.TotalMilliseconds));
        }

        WriteMoment();
        if (outcome.Cost is { } cost && (cost != 0 || withCosts))
        {
            _line.Write(",\"cost\":"u8);
            WriteNumber(cost / 1.000000000000000000000000000m); // trims zeros
        }

        if (outcome.IsCacheHit)
        {
            _line.Write(",\"cached\":true"u8);
        }

        if (outcome.IsShared)
        {
            _line.Write(",\"shared\":true"u8);
        }

        if (isSimulated)
        {
            _line.Write(",\"simulated\":true"u8);
        }

        WriteRefresh();
        if (outcome.IsCorrected)
        {
            _line.Write(",\"corrected\":true"u8);
        }

        if (outcome.Error is { } error)
        {
            WriteFailure(SnakeCase(error.Kind), error.Message);
            WriteAnswers(error.Answers);
        }

        if (outcome.MaybeBilled > 0)
        {
            _line.Write(",\"maybe_billed\":"u8);
            WriteNumber(outcome.MaybeBilled);
        }

        if (outcome.Unpriced > 0)
        {
            _line.Write(",\"unpriced\":"u8);
            WriteNumber(outcome.Unpriced);
        }

        if (_replaced > 0)
        {
            _line.Write(",\"replaced\":"u8);
            WriteNumber((long)_replaced);
        }

        WriteMetadata(metadata);
        _line.Write("}"u8);
    }

    // The cache keeps the bytes as received; the output is valid UTF-8.
    private void WriteReceived(ReadOnlySpan<byte> json)
    {
        JsonMinifier.Write(WellFormedJson.Of(json, out int replaced), _line);
        _replaced += replaced;
    }

    // The time and the bottleneck, from which a report draws the progress of the run.
    private void WriteMoment()
    {
        if (time is not null)
        {
            Span<byte> text = stackalloc byte[32];
            time.GetUtcNow().UtcDateTime.TryFormat(text, out int length, "yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
            _line.Write(",\"at\":\""u8);
            _line.Write(text[..length]);
            _line.Write("\""u8);
        }

        if (limitedBy?.Invoke() is { } bottleneck and not Bottleneck.None)
        {
            _line.Write(",\"limited_by\":\""u8);
            _line.Write(s_bottlenecks[(int)bottleneck]);
            _line.Write("\""u8);
        }
    }

    private void WriteRefresh()
    {
        if (refresh > 0)
        {
            _line.Write(",\"refresh\":"u8);
            WriteNumber(refresh);
        }
    }

    private void WriteFailure(string failure, string message)
    {
        _line.Write(",\"failure\":"u8);
        WriteText(failure);
        _line.Write(",\"message\":"u8);
        WriteText(message);
    }

    // Paid answers that are no success: the user sees what the model wrote.
    private void WriteAnswers(IReadOnlyList<LlmResponse> answers)
    {
        for (var i = 0; i < answers.Count; i++)
        {
            _line.Write(i == 0 ? ",\"answers\":["u8 : ","u8);
            WriteText(AnswerTexts.Of(answers[i]));
        }

        _line.Write(answers.Count > 0 ? "]"u8 : ""u8);
    }

    private void WriteMetadata(ReadOnlySpan<byte> metadata)
    {
        if (!metadata.IsEmpty)
        {
            _line.Write(",\"metadata\":"u8);
            JsonMinifier.Write(metadata, _line);
        }
    }

    // Half of a surrogate pair becomes U+FFFD: messages may be cut anywhere.
    private void WriteText(string? text)
    {
        _values.Reset(_line);
        _values.WriteStringValue(text);
        _values.Flush();
    }

    private void WriteNumber(decimal number)
    {
        _values.Reset(_line);
        _values.WriteNumberValue(number);
        _values.Flush();
    }

    private void WriteNumber(long number)
    {
        _values.Reset(_line);
        _values.WriteNumberValue(number);
        _values.Flush();
    }

    // A 2xx answer that is cut or invalid must not be written as a response: it would read as a success.
    private static bool ShowsFailure(int status, string? body) =>
        status is < 200 or > 299 || (TryRead(body, out bool hasError) && hasError);

    // At most 2,048 characters.
    private static bool TryRead(string? text, out bool hasError)
    {
        hasError = false;
        if (text is null)
        {
            return false;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            bool isObject = document.RootElement.ValueKind == JsonValueKind.Object;
            hasError = document.RootElement.Member("error").ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);
            return isObject;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            // Cut off, perhaps inside a surrogate pair, for which .NET throws ArgumentException.
            hasError = false;
            return false;
        }
    }
}
