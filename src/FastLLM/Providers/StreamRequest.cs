using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Represents what a request's body says about streaming, and defines the members that are added to request a stream.</summary>
/// <remarks>The bytes of the body stay unchanged: members are added before its last brace.</remarks>
internal readonly record struct StreamRequest(bool SaysStream, bool SaysOptions, int Choices)
{
    private const int MaxChoices = 1000;

    private static readonly byte[] s_stream = ""","stream":true}"""u8.ToArray();
    private static readonly byte[] s_streamCounted = ""","stream":true,"stream_options":{"include_usage":true}}"""u8.ToArray();
    private static readonly byte[] s_counted = ""","stream_options":{"include_usage":true}}"""u8.ToArray();

    /// <summary>Reads a body that is known to be valid.</summary>
    public static StreamRequest Of(ReadOnlySpan<byte> body)
    {
        bool saysStream = false, saysOptions = false;
        int choices = 1;
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 1000 });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isChoices = reader.TextIs("n"u8);
            saysStream |= reader.TextIs("stream"u8);
            saysOptions |= reader.TextIs("stream_options"u8);
            reader.Read();
            if (isChoices && reader.TryGetWhole(out long told))
            {
                choices = (int)Math.Clamp(told, 1, MaxChoices);
            }

            reader.Skip();
        }

        return new StreamRequest(saysStream, saysOptions, choices);
    }

    /// <summary>Gets the bytes that replace the last brace; empty if nothing is added.</summary>
    public static ReadOnlyMemory<byte> Tail(bool addsStream, bool addsOptions) => (addsStream, addsOptions) switch
    {
        (true, true) => s_streamCounted,
        (true, false) => s_stream,
        (false, true) => s_counted,
        _ => default,
    };

    /// <summary>Gets the body up to its last brace.</summary>
    public static ReadOnlyMemory<byte> WithoutBrace(ReadOnlyMemory<byte> body) => body[..body.Span.LastIndexOf((byte)'}')];
}
