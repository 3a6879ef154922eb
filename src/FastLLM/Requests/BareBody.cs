using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Requests;

/// <summary>Cuts and joins the bytes of a request body without decoding them.</summary>
internal static class BareBody
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = JsonText.MaxDepth };

    /// <summary>Gets the endpoint of a bare body: chat completions if it has <c>messages</c>, embeddings if it has <c>input</c>, otherwise
    /// <see langword="null"/>.</summary>
    public static string? EndpointOf(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, Options);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return null;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.TextIs("messages"u8))
            {
                return Endpoints.ChatCompletions;
            }

            if (reader.TextIs("input"u8))
            {
                return Endpoints.Embeddings;
            }

            reader.Read();
            reader.Skip();
        }

        return null;
    }

    /// <summary>Gets the body with another member at its beginning.</summary>
    /// <param name="body">A JSON object.</param>
    /// <param name="member">Name and value, as JSON.</param>
    public static ReadOnlyMemory<byte> WithMember(ReadOnlySpan<byte> body, ReadOnlySpan<byte> member)
    {
        int open = body.IndexOf((byte)'{') + 1;
        bool isEmpty = body[open..].TrimStart(" \t\r\n"u8) is [(byte)'}', ..];
        return (byte[])[.. body[..open], .. member, .. isEmpty ? ""u8 : ","u8, .. body[open..]];
    }

    /// <summary>Gets the body without its member <c>metadata</c>; the other members keep their bytes.</summary>
    /// <param name="body">A JSON object.</param>
    /// <param name="metadata">The value of the member, empty if there is none.</param>
    public static ReadOnlyMemory<byte> WithoutMetadata(ReadOnlySpan<byte> body, out ReadOnlyMemory<byte> metadata)
    {
        metadata = default;
        var kept = new List<Range>();
        var reader = new Utf8JsonReader(body, Options);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isMetadata = reader.TextIs("metadata"u8);
            var start = (int)reader.TokenStartIndex;
            reader.Read();
            var value = (int)reader.TokenStartIndex;
            reader.Skip();
            var end = (int)reader.BytesConsumed;
            if (isMetadata)
            {
                metadata = ChunkedAllocator.Requests.Copy(body[value..end]);
            }
            else
            {
                kept.Add(start..end);
            }
        }

        if (metadata.IsEmpty)
        {
            return ChunkedAllocator.Requests.Copy(body);
        }

        List<byte> joined = [(byte)'{'];
        foreach (Range member in kept)
        {
            if (joined.Count > 1)
            {
                joined.Add((byte)',');
            }

            joined.AddRange(body[member]);
        }

        joined.Add((byte)'}');
        return joined.ToArray();
    }
}
