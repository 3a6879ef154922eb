using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Reads a streamed response and assembles the body of a response without streaming.</summary>
internal sealed class StreamedBody(string endpoint, int choices, long most, LiveStream? live = null)
{
    /// <summary>A stream wraps each token in a few hundred bytes: it may have this many times the maximum size of a response.</summary>
    private const int MaxEnvelope = 16;

    // Many fields because each is something that one pass over a stream finds.
    private readonly CompletionAssembler _answer = new();
    private int _choices = choices;
    private ReadOnlyMemory<byte>? _whole;
    private bool _speaks;
    private bool _isDone;
    private bool _hasBegun;

    private enum Form
    {
        NotKnown,
        Events,
        Plain,
    }

    /// <summary>Gets the body, or the part of it that arrived.</summary>
    public ReadOnlyMemory<byte> Body { get; private set; }

    /// <summary>Gets whether the server sent a response without a stream.</summary>
    public bool WasPlain { get; private set; }

    /// <summary>Gets which limit the response exceeds; <see langword="null"/> if none.</summary>
    public string? Excess { get; private set; }

    /// <summary>Gets why the stream is not a response; <see langword="null"/> if only the body can show it.</summary>
    public string? Fault { get; private set; }

    /// <summary>Gets whether the fault is invalid data, not an early end.</summary>
    public bool IsInvalid { get; private set; }

    /// <summary>Gets whether the fault is a connection that was lost.</summary>
    public bool IsCutOff { get; private set; }

    /// <summary>Returns whether streams of an endpoint can be assembled.</summary>
    public static bool Knows(string endpoint) => endpoint is Endpoints.ChatCompletions or Endpoints.Completions or Endpoints.Responses;

    /// <summary>Reads to the end of the events, or of a plain body if the server sent one.</summary>
    public async ValueTask ReadAsync(HttpContent content, Attempt? attempt, CancellationToken cancellationToken)
    {
        using var events = new EventReader();
        try
        {
            Stream stream = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            await ReadAsync(stream, events, attempt, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException && _answer.IsCounted && _answer.IsFinished(_choices))
        {
            // Only the end of the stream is missing: the response is complete.
            _isDone = true;
        }
        catch (Exception e) when (_hasBegun && ReceivedBody.IsCut(e, cancellationToken))
        {
            IsCutOff = true;
            Fault = $"The answer was cut off: {e.Message}";
            Body = WasPlain ? ChunkedAllocator.Answers.Copy(events.Unread)
                : endpoint == Endpoints.Responses ? default : _answer.ToBody(isChat: endpoint == Endpoints.ChatCompletions);
        }

        if (!WasPlain && Excess is null && Fault is null)
        {
            Finish();
        }

        attempt?.Memory?.Shrink(Body.Length);
    }

    private async ValueTask ReadAsync(Stream stream, EventReader events, Attempt? attempt, CancellationToken cancellationToken)
    {
        var form = Form.NotKnown;
        long received = 0;
        while (!_isDone)
        {
            await ResponseMemory.TakeAsync(attempt, events.Capacity + (2 * _answer.Held), cancellationToken).ConfigureAwait(false);
            int count = await stream.ReadAsync(events.Free(), cancellationToken).ConfigureAwait(false);
            int fields = events.Fields;
            bool isPing = false;
            bool saysSomething = events.Take(count);
            received += count;
            form = form == Form.NotKnown ? FormOf(events.Unread) : form;
            if (form == Form.Plain)
            {
                Excess = received > most ? PlainSender.LargerThan(most) : null;
                WasPlain = true;
                Body = count == 0 ? ChunkedAllocator.Answers.Copy(events.Unread) : default;
            }
            else if (form == Form.Events || count == 0)
            {
                isPing = Read(events);
                Excess = ExcessOf(events, received);
            }

            if (count == 0 || Excess is not null)
            {
                return;
            }

            if (_speaks || _answer.Speaks)
            {
                attempt?.ExpectFlow();
            }

            if (saysSomething && !isPing && (form == Form.Plain || events.Fields > fields || events.IsInsideField))
            {
                _hasBegun = true;
                attempt?.Touch();
            }
        }
    }

    private string? ExcessOf(EventReader events, long received) =>
        events.IsTooLong ? $"The stream has a line or an event of more than {EventReader.MaxBytes >> 20} MB."
            : _answer.Held > most ? PlainSender.LargerThan(most)
            : received / MaxEnvelope > most ? $"The stream is {MaxEnvelope} times as large as an answer may be ({most:N0} bytes)."
            : null;

    // The content type is ignored: some servers send events as plain text, others errors as an event stream.
    private static Form FormOf(ReadOnlySpan<byte> begin)
    {
        if (ByteOrderMark.MayFollow(begin))
        {
            return Form.NotKnown;
        }

        begin = begin[ByteOrderMark.LengthIn(begin)..].TrimStart(" \t\r\n"u8);
        return begin switch
        {
            [] => Form.NotKnown,
            [(byte)'{' or (byte)'[' or (byte)'<' or (byte)'"', ..] => Form.Plain,
            _ => Form.Events,
        };
    }

    // Returns whether there were events, none of which is progress: pings and empty chunks keep the connection alive.
    private bool Read(EventReader events)
    {
        bool any = false, arePings = true;
        while (!_isDone && events.TryRead(out ReadOnlySpan<byte> data, out bool isError))
        {
            any = true;
            try
            {
                Read(data, isError, out bool isPing);
                arePings &= isPing;
            }
            catch (JsonException e)
            {
                // An event that was cut by the end is ignored; the others show whether the response is complete.
                if (!events.IsCut)
                {
                    IsInvalid = _isDone = true;
                    Fault = JsonFault.Describe("An event of the stream", e);
                    Body = data.ToArray();
                }
            }
        }

        return any && arePings;
    }

    private void Read(ReadOnlySpan<byte> data, bool isError, out bool isPing)
    {
        isPing = false;
        if (isError)
        {
            End(ErrorOf(data));
        }
        else if (data.SequenceEqual("[DONE]"u8))
        {
            _isDone = true;
            _choices = 0;
        }
        else if (data.ContainsAnyExcept(" \t\n"u8))
        {
            if (endpoint == Endpoints.Responses)
            {
                isPing = ReadResponse(data);
            }
            else if (_answer.Add(data) is { } error)
            {
                End(error);
            }
            else
            {
                isPing = !_answer.IsProgress;
                live?.Add(data);
            }
        }
    }

    // The last event of a response has the whole response. Returns whether the event is none of the response.
    private bool ReadResponse(ReadOnlySpan<byte> data)
    {
        var reader = new Utf8JsonReader(data);
        using JsonDocument document = JsonDocument.ParseValue(ref reader);
        JsonElement root = document.RootElement;
        string? type = root.Text("type");
        if (type == "error" || HasError(root))
        {
            End(ErrorOf(data));
        }
        else if (type is "response.completed" or "response.incomplete" or "response.failed"
            && root.Member("response") is { ValueKind: not JsonValueKind.Undefined } response)
        {
            End(JsonMarshal.GetRawUtf8Value(response).ToArray());
        }
        else
        {
            _speaks |= type?.EndsWith(".delta", StringComparison.Ordinal) == true;
        }

        return type?.StartsWith("response.", StringComparison.Ordinal) != true;
    }

    private static bool HasError(JsonElement root) => root.Member("error").ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

    // Converts an error event to the form of an error body.
    private static byte[] ErrorOf(ReadOnlySpan<byte> data)
    {
        try
        {
            var reader = new Utf8JsonReader(data);
            using JsonDocument document = JsonDocument.ParseValue(ref reader);
            return HasError(document.RootElement) ? data.ToArray() : [.. "{\"error\":"u8, .. data, (byte)'}'];
        }
        catch (JsonException)
        {
            return [.. "{\"error\":\""u8, .. JsonEncodedText.Encode(Encoding.UTF8.GetString(data)).EncodedUtf8Bytes, .. "\"}"u8];
        }
    }

    private void End(ReadOnlyMemory<byte> body)
    {
        _whole = body;
        _isDone = true;
    }

    private void Finish()
    {
        if (_whole is { } whole)
        {
            Body = whole;
        }
        else if (endpoint == Endpoints.Responses)
        {
            Fault = "The stream ended before the event that completes it.";
        }
        else
        {
            Body = _answer.ToBody(isChat: endpoint == Endpoints.ChatCompletions);
            Fault = _answer.IsFinished(_choices) ? null : "The stream ended before each choice had a finish reason.";
        }
    }
}
