using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FastLLM.Pipeline;

namespace FastLLM.Caching;

/// <summary>An entry as a line of JSON, to be carried to another cache; see <c>docs/cache-format.md</c>.</summary>
/// <remarks>The answer's bytes come out as they went in: as text where they are UTF-8, else in base64.</remarks>
internal static class CacheLine
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a line with its LF.</summary>
    public static void Write(IBufferWriter<byte> line, RequestKey key, in CacheEntry entry)
    {
        using (var json = new Utf8JsonWriter(line, s_options))
        {
            json.WriteStartObject();
            json.WriteString("key"u8, key.ToString());
            json.WriteString("scope"u8, entry.Scope);
            json.WriteNumber("status"u8, entry.StatusCode);
            if (entry.Model is { } model)
            {
                json.WriteString("model"u8, model);
            }

            json.WriteString("created"u8, entry.CreatedAt.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
            json.WriteString("sha256"u8, Convert.ToHexStringLower(entry.ComputeDigest()));
            if (TryText(entry.Body.Span) is { } text)
            {
                json.WriteString("body"u8, text);
            }
            else
            {
                json.WriteBase64String("body_base64"u8, entry.Body.Span);
            }

            json.WriteEndObject();
        }

        line.Write("\n"u8);
    }

    /// <summary>Reads a line.</summary>
    /// <exception cref="FormatException">It is no entry; the message says why.</exception>
    public static (RequestKey Key, CacheEntry Entry) Read(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement json = document.RootElement;
            byte[] body = json.TryGetProperty("body_base64", out JsonElement base64) ? base64.GetBytesFromBase64() : Strict.GetBytes(json.GetProperty("body").GetString()!);
            var entry = new CacheEntry(body, json.GetProperty("scope").GetString()!, json.GetProperty("status").GetInt32(), json.GetProperty("created").GetDateTimeOffset())
            {
                Model = json.TryGetProperty("model", out JsonElement model) ? model.GetString() : null,
            };
            if (!RequestKey.TryParse(json.GetProperty("key").GetString(), out RequestKey key))
            {
                throw new FormatException("its key is not 64 hexadecimal digits");
            }

            if (entry.Scope is null || entry.StatusCode is < 200 or > 299 || entry.CreatedAt < DateTimeOffset.UnixEpoch)
            {
                throw new FormatException("its scope, status or time is none that a cache writes");
            }

            return Convert.ToHexStringLower(entry.ComputeDigest()) == json.GetProperty("sha256").GetString()
                ? (key, entry)
                : throw new FormatException("its answer is not what its digest says");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new FormatException("it is no entry of a cache", e);
        }
    }

    private static string? TryText(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Strict.GetString(bytes);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
