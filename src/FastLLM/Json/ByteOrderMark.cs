namespace FastLLM.Json;

/// <summary>Finds the byte order mark that some programs write before UTF-8 text. It is no part of the text.</summary>
internal static class ByteOrderMark
{
    /// <summary>Gets the mark.</summary>
    public static ReadOnlySpan<byte> Bytes => "\uFEFF"u8;

    /// <summary>Returns the length of the mark at the begin of a text; 0 if it has none.</summary>
    public static int LengthIn(ReadOnlySpan<byte> text) => text.StartsWith(Bytes) ? Bytes.Length : 0;

    /// <summary>Returns whether a text may be the begin of a longer one with the mark.</summary>
    public static bool MayFollow(ReadOnlySpan<byte> begin) => begin.Length < Bytes.Length && Bytes.StartsWith(begin);
}
