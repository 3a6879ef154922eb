using System.Globalization;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Represents a choice of a stream, as far as it has arrived.</summary>
internal sealed class StreamedChoice(long index)
{
    private const int IndexBytes = 20;

    public long Index { get; } = index;

    /// <summary>Gets the members of the choice itself.</summary>
    public JsonAccumulator Members { get; } = new();

    /// <summary>Gets or sets the message, assembled from the deltas.</summary>
    public JsonAccumulator? Message { get; set; }

    public bool IsFinished { get; set; }

    public void WriteTo(ByteBuffer output)
    {
        output.Append("{\"index\":"u8);
        Index.TryFormat(output.Append(IndexBytes), out int written, default, CultureInfo.InvariantCulture);
        output.Truncate(output.Length - IndexBytes + written);
        if (Message is not null)
        {
            output.AppendName("message"u8);
            WriteMessage(Message, output);
        }

        foreach ((byte[] name, JsonAccumulator value) in Members.Members)
        {
            // Some servers repeat the whole message with each delta.
            ReadOnlySpan<byte> named = name;
            if (!named.SequenceEqual("index"u8) && (Message is null || !named.SequenceEqual("message"u8)))
            {
                output.AppendName(name);
                value.WriteTo(output);
            }
        }

        output.Append((byte)'}');
    }

    private static void WriteMessage(JsonAccumulator message, ByteBuffer output)
    {
        bool hasRole = false, hasContent = false;
        bool saysOtherwise = Has(message, "tool_calls"u8) || Has(message, "refusal"u8) || Has(message, "function_call"u8)
            || Has(message, "audio"u8);
        output.Append((byte)'{');
        foreach ((byte[] name, JsonAccumulator value) in message.Members)
        {
            ReadOnlySpan<byte> named = name;
            bool isContent = named.SequenceEqual("content"u8);
            hasRole |= named.SequenceEqual("role"u8);
            hasContent |= isContent;
            output.AppendName(name);
            if (isContent && saysOtherwise && value.IsEmptyText)
            {
                // A stream begins with empty content, whatever follows.
                output.Append("null"u8);
            }
            else if (named.SequenceEqual("tool_calls"u8) && value.List is { Count: > 0 } calls)
            {
                calls.WriteTo(output, withoutIndex: true);
            }
            else
            {
                value.WriteTo(output);
            }
        }

        if (!hasRole)
        {
            output.AppendName("role"u8);
            output.Append("\"assistant\""u8);
        }

        if (!hasContent)
        {
            output.AppendName("content"u8);
            output.Append("null"u8);
        }

        output.Append((byte)'}');
    }

    private static bool Has(JsonAccumulator message, ReadOnlySpan<byte> name) => message.Find(name) is { HasContent: true };

    /// <summary>Returns the index that a choice of a chunk states; 0 if it states none.</summary>
    public static long IndexOf(Utf8JsonReader choice)
    {
        while (choice.Read() && choice.TokenType == JsonTokenType.PropertyName)
        {
            bool isIndex = choice.TextIs("index"u8);
            choice.Read();
            if (isIndex && choice.TryGetWhole(out long index))
            {
                return index;
            }

            choice.Skip();
        }

        return 0;
    }
}
