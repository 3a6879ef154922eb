using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Output;

/// <summary>Reads one line of an output from any writer: FastLLM, OpenAI's batches, vLLM's run-batch.</summary>
/// <remarks>Reads the bytes once and allocates only the id.</remarks>
internal ref struct OutputLine
{
    private static readonly string[] s_stop = ["stop"];
    private static readonly string[] s_length = ["length"];

    // Deeper than any answer that the engine accepts; the reader needs one bit per level.
    private static readonly JsonReaderOptions s_options = new() { MaxDepth = 4096 };

    private Utf8JsonReader _reader;
    private string? _customId;
    private ReadOnlySpan<byte> _id;
    private OwnMember _own;
    private ReadOnlySpan<byte> _requestId;
    private bool _hasOutcome;
    private bool _hasError;
    private bool _hasBody;
    private int _status;
    private string[] _finishReasons;

    /// <summary>Reads a line, with or without its LF.</summary>
    public static OutputEntry Read(ReadOnlySpan<byte> line, long offset, int length)
    {
        var record = new OutputLine { _reader = new Utf8JsonReader(line, s_options), _finishReasons = [] };
        try
        {
            if (record.TryRead())
            {
                bool succeeded = !record._hasError && record._hasBody && record._status is >= 200 and <= 299;
                RequestKey? key = record._own.Key ?? record.KeyInIds();
                return new OutputEntry(offset, length, record._customId!, key, succeeded, IsDamaged: false)
                {
                    FinishReasons = record._finishReasons,
                    Cost = record._own.Cost,
                    HasUnstatedCost = key is not null && record.HasUnstatedCost(succeeded),
                    IsSimulated = record._own.IsSimulated,
                    Refresh = record._own.Refresh,
                };
            }
        }
        catch (JsonException)
        {
            // Not JSON, or an id that is not valid text.
        }

        return new OutputEntry(offset, length, "", null, Succeeded: false, IsDamaged: true);
    }

    // An id alone is not a record: a line of an input has one too.
    private bool TryRead()
    {
        if (!_reader.Read() || _reader.TokenType != JsonTokenType.StartObject)
        {
            return false;
        }

        while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadMember();
        }

        return !_reader.Read() && _customId is not null && _hasOutcome;
    }

    private void ReadMember()
    {
        if (_reader.TextIs("custom_id"u8))
        {
            _reader.Read();
            _customId = _reader.TokenType == JsonTokenType.String ? JsonText.StringOf(ref _reader) : null;
            _reader.Skip();
        }
        else if (_reader.TextIs("id"u8))
        {
            _reader.Read();
            _id = StringOrNone();
            _reader.Skip();
        }
        else if (_reader.TextIs("response"u8))
        {
            _hasOutcome = true;
            ReadResponse();
        }
        else if (_reader.TextIs("error"u8))
        {
            _hasOutcome = true;
            _hasError |= ReadsNotNull();
        }
        else if (_reader.TextIs("fastllm"u8))
        {
            _own = OwnMember.Read(ref _reader);
        }
        else
        {
            _reader.Skip();
        }
    }

    private void ReadResponse()
    {
        while (NextMember())
        {
            if (_reader.TextIs("status_code"u8))
            {
                _reader.Read();
                _status = _reader.TokenType == JsonTokenType.Number && _reader.TryGetInt32(out int status) ? status : 0;
                _reader.Skip();
            }
            else if (_reader.TextIs("request_id"u8))
            {
                _reader.Read();
                _requestId = StringOrNone();
                _reader.Skip();
            }
            else if (_reader.TextIs("body"u8))
            {
                ReadBody();
            }
            else
            {
                _reader.Skip();
            }
        }
    }

    private void ReadBody()
    {
        while (NextMember())
        {
            if (_reader.TextIs("error"u8))
            {
                _hasError |= ReadsNotNull();
            }
            else if (_reader.TextIs("choices"u8))
            {
                ReadChoices();
            }
            else if (_reader.TextIs("incomplete_details"u8))
            {
                ReadIncomplete();
            }
            else
            {
                _reader.Skip();
            }
        }

        // The reader is at the end of the object or, if the value is not one, at the value.
        _hasBody = _reader.TokenType != JsonTokenType.Null;
    }

    private void ReadIncomplete()
    {
        while (NextMember())
        {
            bool isReason = _reader.TextIs("reason"u8);
            _reader.Read();
            if (isReason && _reader.TokenType == JsonTokenType.String)
            {
                AddFinishReason();
            }

            _reader.Skip();
        }
    }

    private void ReadChoices()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            _reader.Skip();
            return;
        }

        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                _reader.Skip();
                continue;
            }

            while (_reader.Read() && _reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isReason = _reader.TextIs("finish_reason"u8);
                _reader.Read();
                if (isReason && _reader.TokenType == JsonTokenType.String)
                {
                    AddFinishReason();
                }

                _reader.Skip();
            }
        }
    }

    // Nearly always one reason, the same in all rows: it allocates no list.
    private void AddFinishReason()
    {
        if (_finishReasons.Length == 0)
        {
            _finishReasons = _reader.TextIs("stop"u8) ? s_stop
                : _reader.TextIs("length"u8) ? s_length
                : [OtherResponse.InWordsOfChat(_reader.Text())];
        }
        else if (OtherResponse.InWordsOfChat(_reader.Text()) is var reason && !_finishReasons.Contains(reason))
        {
            _finishReasons = [.. _finishReasons, reason];
        }
    }

    // Only what was sent costs something. A failed row may cost something, too, if it may be billed or has answers.
    private readonly bool HasUnstatedCost(bool succeeded) =>
        _own.MaybeBilled || _own.HasUnpriced || (_own is { Cost: null, IsUnsent: false } && (succeeded || _own.HasInvalidAnswer));

    private readonly ReadOnlySpan<byte> StringOrNone() => _reader.TokenType == JsonTokenType.String ? _reader.ValueSpan : default;

    // Records of FastLLM have it there, too: the member that holds it can be omitted.
    private readonly RequestKey? KeyInIds() => OwnMember.KeyOf(_requestId) is { } key && OutputRecord.IdOf(key.ToString()) is var id
        && _id.Length == id.Length && Encoding.UTF8.GetString(_id) == id ? key : null;

    // Called first at the name of a member whose value may be an object, then at the end of each value of that object.
    private bool NextMember()
    {
        bool first = _reader.TokenType == JsonTokenType.PropertyName;
        _reader.Read();
        if (!first)
        {
            return _reader.TokenType == JsonTokenType.PropertyName;
        }

        if (_reader.TokenType == JsonTokenType.StartObject)
        {
            _reader.Read();
            return _reader.TokenType == JsonTokenType.PropertyName;
        }

        _reader.Skip();
        return false;
    }

    private bool ReadsNotNull()
    {
        _reader.Read();
        bool isNotNull = _reader.TokenType != JsonTokenType.Null;
        _reader.Skip();
        return isNotNull;
    }
}
