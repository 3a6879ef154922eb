using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using FastLLM.Json;

namespace FastLLM.Caching;

/// <summary>Reads and writes an entry as a line of JSON, for export and import; see <c>docs/cache-format.md</c>.</summary>
/// <remarks>The bytes of the response stay the same: as text if they are UTF-8, otherwise in base64.</remarks>
internal static class CacheLine
{
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
            if (Utf8.IsValid(entry.Body.Span))
            {
                json.WriteString("body"u8, entry.Body.Span);
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
    /// <exception cref="FormatException">The line is not an entry; the message names the cause.</exception>
    public static (RequestKey Key, CacheEntry Entry) Read(ReadOnlyMemory<byte> line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement json = document.RootElement;
            byte[] body = json.TryGetProperty("body_base64", out JsonElement base64)
                ? base64.GetBytesFromBase64()
                : Encoding.UTF8.GetBytes(Text("body")!);
            DateTimeOffset created = json.GetProperty("created").GetDateTimeOffset();
            var entry = new CacheEntry(body, Text("scope")!, json.GetProperty("status").GetInt32(), created)
            {
                Model = json.TryGetProperty("model", out JsonElement model) ? JsonText.StringOf(model) : null,
            };
            if (!RequestKey.TryParse(Text("key"), out RequestKey key))
            {
                throw new FormatException("its key is not 64 hexadecimal digits");
            }

            if (entry.Scope is null || entry.StatusCode is < 200 or > 299 || entry.CreatedAt < DateTimeOffset.UnixEpoch)
            {
                throw new FormatException("its scope, status or time is not one that a cache writes");
            }

            return Convert.ToHexStringLower(entry.ComputeDigest()) == Text("sha256")
                ? (key, entry)
                : throw new FormatException("its answer does not match its digest");

            string? Text(string name) => JsonText.StringOf(json.GetProperty(name));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentException)
        {
            throw new FormatException("it is not an entry of a cache", e);
        }
    }
}
