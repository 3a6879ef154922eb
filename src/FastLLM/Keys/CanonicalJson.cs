using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using FastLLM.Json;

namespace FastLLM.Keys;

/// <summary>Writes a request's body in its canonical form: the same text for all equal bodies.</summary>
/// <remarks>
/// <para>RFC 8785, except: members are sorted by the UTF-8 bytes of their names; numbers are written by their exact decimal value
/// (<see cref="DecimalText"/>); members of the body itself that are null, and its <c>stream</c> and <c>stream_options</c>, are omitted;
/// duplicate names are refused, also among members that are omitted.</para>
/// <para>One pass without recursion: values are written in the order of the input, and an object whose members are not
/// in order is rearranged when it closes. Not safe for concurrent use; keeps buffers for the next body.</para>
/// </remarks>
internal sealed class CanonicalJson
{
    private const int MaxDepth = 256;

    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxDepth };

    private readonly CanonicalMembers _members = new();
    private readonly (int FirstMember, int Start)[] _objects = new (int, int)[MaxDepth];

    /// <summary>Appends the canonical form of a body.</summary>
    /// <param name="output">The buffer to append to. After an exception it holds a part.</param>
    /// <param name="utf8Body">One JSON object.</param>
    /// <exception cref="JsonException">The body has no canonical form; the message names the cause, the place and the remedy.</exception>
    public void Write(ByteBuffer output, ReadOnlySpan<byte> utf8Body)
    {
        if (!Utf8.IsValid(utf8Body)) // the reader does not check
        {
            throw InvalidUtf8(utf8Body);
        }

        int skipped = ByteOrderMark.LengthIn(utf8Body);
        ReadOnlySpan<byte> body = utf8Body[skipped..];
        output.EnsureFree(body.Length);
        _members.Begin(output);
        try
        {
            WriteObject(output, body, skipped);
        }
        catch (JsonException error) when (error.LineNumber is not null) // the reader's own errors, which name no remedy
        {
            throw InvalidJson(error, body, skipped);
        }
        finally
        {
            _members.Reset();
        }
    }

    private void WriteObject(ByteBuffer output, ReadOnlySpan<byte> body, int skipped)
    {
        var reader = new Utf8JsonReader(body, ReaderOptions);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException(
                $"The body begins with a JSON {Describe(reader.TokenType)}, at byte {reader.TokenStartIndex + skipped}: a request's body is a JSON object. "
                + $"Send an object, such as {{\"model\": …}}.");
        }

        int depth = 0; // of open objects
        output.Append((byte)'{');
        _objects[depth++] = (_members.Count, output.Length);
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    WriteName(output, in reader, body, skipped, _objects[depth - 1].FirstMember);
                    break;
                case JsonTokenType.EndObject:
                    (int firstMember, int start) = _objects[--depth];
                    if (_members.Count > firstMember)
                    {
                        _members.EndLast();
                        _members.Close(firstMember, start);
                    }

                    output.Append((byte)'}');
                    break;
                case JsonTokenType.EndArray:
                    output.Append((byte)']');
                    break;
                case JsonTokenType.StartObject:
                    Separate(output);
                    output.Append((byte)'{');
                    _objects[depth++] = (_members.Count, output.Length);
                    break;
                case JsonTokenType.StartArray:
                    Separate(output);
                    output.Append((byte)'[');
                    break;
                case JsonTokenType.String:
                    Separate(output);
                    WriteString(output, in reader, body, skipped);
                    break;
                case JsonTokenType.Number:
                    Separate(output);
                    if (!DecimalText.TryAppend(output, reader.ValueSpan))
                    {
                        throw new JsonException(
                            $"The body has a number at byte {reader.TokenStartIndex + skipped} whose exponent is beyond ±1,000,000,000. "
                            + $"Write a smaller number, or a string.");
                    }

                    break;
                default: // true, false, null
                    Separate(output);
                    output.Append(reader.ValueSpan);
                    if (reader.TokenType == JsonTokenType.Null && reader.CurrentDepth == 1)
                    {
                        _members.LeaveOutLast();
                    }

                    break;
            }
        }
    }

    private void WriteName(ByteBuffer output, ref readonly Utf8JsonReader reader, ReadOnlySpan<byte> body, int skipped, int firstMember)
    {
        if (_members.Count > firstMember)
        {
            _members.EndLast();
            output.Append((byte)',');
        }

        int start = output.Length;
        WriteString(output, in reader, body, skipped);
        ReadOnlySpan<byte> name = output.Slice(start + 1, output.Length - start - 2);
        bool leftOut = reader.CurrentDepth == 1 && (name.SequenceEqual("stream"u8) || name.SequenceEqual("stream_options"u8));
        _members.Add(start, name.Length, (int)reader.TokenStartIndex + skipped, reader.ValueIsEscaped, leftOut);
        output.Append((byte)':');
    }

    private static void WriteString(ByteBuffer output, ref readonly Utf8JsonReader reader, ReadOnlySpan<byte> body, int skipped)
    {
        int start = (int)reader.TokenStartIndex;
        if (!reader.ValueIsEscaped)
        {
            output.Append(body.Slice(start, reader.ValueSpan.Length + 2)); // with its quotation marks
            return;
        }

        output.Append((byte)'"');
        CanonicalString.Append(output, reader.ValueSpan, start + 1 + skipped);
        output.Append((byte)'"');
    }

    // Before a value: only the second and later elements of an array do not follow ':' or '['.
    private static void Separate(ByteBuffer output)
    {
        if (output.Last is not ((byte)':' or (byte)'['))
        {
            output.Append((byte)',');
        }
    }

    private static JsonException InvalidJson(JsonException error, ReadOnlySpan<byte> body, int skipped)
    {
        int lineStart = 0;
        for (long line = error.LineNumber ?? 0; line > 0; line--)
        {
            lineStart += body[lineStart..].IndexOf((byte)'\n') + 1;
        }

        long offset = lineStart + (error.BytePositionInLine ?? 0) + skipped;
        return new JsonException(
            $"The body is not one valid JSON object, at byte {offset}: {JsonFault.Reason(error)} "
            + $"Correct it there; comments, trailing commas, a second value and more than {MaxDepth} levels are not accepted.",
            error.Path, error.LineNumber, error.BytePositionInLine, error);
    }

    private static JsonException InvalidUtf8(ReadOnlySpan<byte> body)
    {
        int offset = 0;
        while (Rune.DecodeFromUtf8(body[offset..], out _, out int length) == System.Buffers.OperationStatus.Done)
        {
            offset += length;
        }

        return new JsonException($"The body is not valid UTF-8 at byte {offset}. Save or encode it as UTF-8.");
    }

    private static string Describe(JsonTokenType token) => token switch
    {
        JsonTokenType.StartArray => "array",
        JsonTokenType.String => "string",
        JsonTokenType.Number => "number",
        JsonTokenType.Null => "null",
        _ => "boolean",
    };
}
