using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace FastLLM.Providers;

/// <summary>Converts responses of a type to bytes for a cache, and back.</summary>
internal sealed class ResponseFormat<TResponse>
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Func<TResponse, ReadOnlyMemory<byte>>? _write;
    private readonly Func<ReadOnlyMemory<byte>, TResponse>? _read;

    private ResponseFormat(Func<TResponse, ReadOnlyMemory<byte>>? write, Func<ReadOnlyMemory<byte>, TResponse>? read)
    {
        _write = write;
        _read = read;
    }

    public bool IsKnown => _read is not null;

    public static ResponseFormat<TResponse> For(JsonTypeInfo<TResponse>? typeInfo)
    {
        if (typeInfo is not null)
        {
            return new(response => JsonSerializer.SerializeToUtf8Bytes(response, typeInfo), bytes =>
                JsonSerializer.Deserialize(bytes.Span, typeInfo)!);
        }

        // Each cast is from a type to itself.
        if (typeof(TResponse) == typeof(string))
        {
            return new(response => Strict.GetBytes((string)(object)response!), bytes => (TResponse)(object)Strict.GetString(bytes.Span));
        }

        if (typeof(TResponse) == typeof(byte[]))
        {
            return new(response => (byte[])(object)response!, bytes => (TResponse)(object)bytes.ToArray());
        }

        return typeof(TResponse) == typeof(LlmResponse)
            ? new(response => ((LlmResponse)(object)response!).RawBody, bytes => (TResponse)(object)LlmResponse.FromBody(bytes))
            : new(null, null);
    }

    public ReadOnlyMemory<byte> Write(TResponse response) => _write is not null ? _write(response) : throw Unknown();

    public TResponse Read(ReadOnlyMemory<byte> bytes) => _read is not null ? _read(bytes) : throw Unknown();

    private static NotSupportedException Unknown() => new(
        $"A {typeof(TResponse).Name} cannot be stored in a cache. "
        + $"Pass the provider a JsonTypeInfo<{typeof(TResponse).Name}>, or override Write and Read.");
}
