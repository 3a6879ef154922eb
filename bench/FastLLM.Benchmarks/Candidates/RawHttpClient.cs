using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;

namespace FastLLM.Benchmarks.Candidates;

/// <summary>The baseline: what a good engineer writes in an afternoon, without any feature. No key, cache, sharing, retry, limit or statistics.</summary>
internal sealed class RawHttpClient : ICandidate
{
    private static readonly MediaTypeHeaderValue s_json = new("application/json");

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_buffer;

    private long _tokens;

    public string Name => "raw HttpClient";

    public Func<Task<int>> Prepare(string apiBase, Workload workload, int inFlight) => async () =>
    {
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "no-key-needed");
        var address = new Uri(apiBase + "/chat/completions");
        var texts = new string?[workload.Count];
        await Parallel.ForAsync(0, workload.Count, new ParallelOptions { MaxDegreeOfParallelism = inFlight }, async (i, cancellationToken) =>
            texts[i] = await AskAsync(client, address, workload[i], cancellationToken));
        return texts.Count(text => text is { Length: > 0 });
    };

    private async Task<string?> AskAsync(HttpClient client, Uri address, string prompt, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ByteArrayContent(Body(prompt)) };
        request.Content.Headers.ContentType = s_json;
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        response.EnsureSuccessStatusCode();
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using JsonDocument document = await JsonDocument.ParseAsync(stream, cancellationToken: cancellationToken);
        Interlocked.Add(ref _tokens, document.RootElement.GetProperty("usage").GetProperty("total_tokens").GetInt64());
        return document.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
    }

    // The writer asks for room for the worst case, six bytes a character: its buffer is kept, or it would be most of all garbage.
    private static byte[] Body(string prompt)
    {
        ArrayBufferWriter<byte> buffer = t_buffer ??= new ArrayBufferWriter<byte>(4096);
        buffer.ResetWrittenCount();
        using var writer = new Utf8JsonWriter(buffer);
        writer.WriteStartObject();
        writer.WriteString("model"u8, Workload.Model);
        writer.WriteStartArray("messages"u8);
        Message(writer, "system"u8, Workload.Instruction);
        Message(writer, "user"u8, prompt);
        writer.WriteEndArray();
        writer.WriteNumber("temperature"u8, Workload.Temperature);
        writer.WriteNumber("max_completion_tokens"u8, Workload.MaxCompletionTokens);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void Message(Utf8JsonWriter writer, ReadOnlySpan<byte> role, string content)
    {
        writer.WriteStartObject();
        writer.WriteString("role"u8, role);
        writer.WriteString("content"u8, content);
        writer.WriteEndObject();
    }
}
