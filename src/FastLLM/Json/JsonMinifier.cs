using System.Buffers;

namespace FastLLM.Json;

/// <summary>Removes the insignificant white space of valid JSON; strings, numbers and the order of members stay byte for byte.</summary>
/// <remarks>Nothing is checked: invalid JSON only loses white space.</remarks>
internal static class JsonMinifier
{
    private static readonly SearchValues<byte> s_stops = SearchValues.Create("\" \t\r\n"u8);

    /// <summary>Writes <paramref name="json"/> on one line.</summary>
    public static void Write(ReadOnlySpan<byte> json, IBufferWriter<byte> output)
    {
        // One reservation: OpenAI's pretty-printed bodies have a run every few bytes.
        Span<byte> destination = output.GetSpan(Math.Max(1, json.Length));
        int written = 0;
        while (!json.IsEmpty)
        {
            int length = NextRun(json);
            json[..length].CopyTo(destination[written..]);
            written += length;
            json = json[length..].TrimStart(" \t\r\n"u8);
        }

        output.Advance(written);
    }

    // The length up to the next white space that is not inside a string.
    private static int NextRun(ReadOnlySpan<byte> json)
    {
        int at = 0;
        while (true)
        {
            int stop = json[at..].IndexOfAny(s_stops);
            if (stop < 0)
            {
                return json.Length;
            }

            at += stop;
            if (json[at] != (byte)'"')
            {
                return at;
            }

            at += StringLength(json[at..]);
        }
    }

    private static int StringLength(ReadOnlySpan<byte> json)
    {
        int at = 1;
        while (true)
        {
            int next = json[at..].IndexOfAny((byte)'"', (byte)'\\');
            if (next < 0)
            {
                return json.Length;
            }

            at += next;
            if (json[at] == (byte)'"')
            {
                return at + 1;
            }

            at = Math.Min(json.Length, at + 2);
        }
    }
}
