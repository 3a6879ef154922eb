using System.Text;
using FastLLM.Json;

namespace FastLLM.Caching;

/// <summary>Reads a row of the table of entries, in the order of <see cref="CacheDatabase.Columns"/>.</summary>
internal static class CacheRow
{
    /// <summary>Returns whether the row is intact.</summary>
    public static bool IsSound(Statement row)
    {
        ReadOnlySpan<byte> key = row.Blob(0);
        if (key.Length != RequestKey.Size)
        {
            return false;
        }

        Span<byte> digest = stackalloc byte[EntryDigest.Size];
        EntryDigest.Compute(key, row.Blob(1), row.Blob(3), (int)row.Integer(2), row.Integer(4), row.Blob(6), digest);
        return digest.SequenceEqual(row.Blob(5));
    }

    /// <summary>Reads the row; <see langword="null"/> if it is damaged.</summary>
    /// <param name="row">The row.</param>
    /// <param name="scope">The scope, if known, to save a string.</param>
    /// <param name="models">Decodes model names, to save strings.</param>
    public static (RequestKey Key, CacheEntry Entry)? Read(Statement row, string? scope, Utf8Text? models = null)
    {
        if (!IsSound(row))
        {
            return null;
        }

        ReadOnlySpan<byte> model = row.Blob(3);
        var entry = new CacheEntry(
            ChunkedAllocator.Answers.Copy(row.Blob(6)), scope ?? Encoding.UTF8.GetString(row.Blob(1)), (int)row.Integer(2),
            DateTimeOffset.FromUnixTimeMilliseconds(row.Integer(4)))
        {
            Model = model.IsEmpty ? null : models?.Text(model) ?? Encoding.UTF8.GetString(model),
        };
        return (RequestKey.FromBytes(row.Blob(0)), entry);
    }

    /// <summary>Remembers the last text, because the same text is often encoded or decoded many times.</summary>
    internal sealed class Utf8Text
    {
        private string _text = "";
        private byte[] _utf8 = [];

        public string Text(ReadOnlySpan<byte> utf8)
        {
            if (!utf8.SequenceEqual(_utf8))
            {
                (_utf8, _text) = (utf8.ToArray(), Encoding.UTF8.GetString(utf8));
            }

            return _text;
        }

        public byte[] Utf8(string text)
        {
            if (!string.Equals(text, _text, StringComparison.Ordinal))
            {
                (_utf8, _text) = (EntryDigest.Utf8(text), text);
            }

            return _utf8;
        }
    }
}
