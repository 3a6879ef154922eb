using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>Removes <c>stream</c> and <c>stream_options</c> from a body, and leaves every other byte as it is.</summary>
internal static class StreamMembers
{
    /// <returns>The body without these members; the body itself, where it is not a JSON object.</returns>
    public static ReadOnlySpan<byte> Remove(ReadOnlySpan<byte> body)
    {
        try
        {
            var left = new byte[body.Length];
            int length = Copy(body, left);
            return left.AsSpan(0, length);
        }
        catch (JsonException)
        {
            return body;
        }
    }

    // A member goes with the comma before it; the first, which has none, with the comma behind it.
    private static int Copy(ReadOnlySpan<byte> body, Span<byte> left)
    {
        var reader = new Utf8JsonReader(body);
        int length = 0, copied = 0;
        bool isFirst = true, endsAtNextName = false;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException();
        }

        int end = (int)reader.BytesConsumed;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = (int)reader.TokenStartIndex;
            if (endsAtNextName)
            {
                (copied, endsAtNextName) = (name, false);
            }

            bool goes = reader.ValueTextEquals("stream"u8) || reader.ValueTextEquals("stream_options"u8);
            reader.Read();
            reader.Skip();
            if (goes)
            {
                // Up to where the member before it ends, or its own name where there is none.
                length += CopyRange(body, copied, isFirst ? name : end, left[length..]);
                copied = (int)reader.BytesConsumed;
                endsAtNextName = isFirst;
            }
            else
            {
                isFirst = false;
            }

            end = (int)reader.BytesConsumed;
        }

        return length + CopyRange(body, copied, body.Length, left[length..]);
    }

    private static int CopyRange(ReadOnlySpan<byte> body, int from, int to, Span<byte> left)
    {
        if (to <= from)
        {
            return 0;
        }

        body[from..to].CopyTo(left);
        return to - from;
    }
}
