using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.AI;

namespace FastLLM.Benchmarks.Load;

/// <summary>S15. Question: how long after the server's first token does the first update of a stream arrive?</summary>
/// <remarks>The server is a socket in this process, so that both moments are read from one clock. The first token leaves 5 ms after the request.</remarks>
internal static class FirstUpdate
{
    private const double Bar = 5;
    private const string Head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    private const string First = """{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}""";
    private const string Last = """{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"!"},"finish_reason":"stop"}]}""";

    public static async Task<Figure> MeasureAsync(Flags flags)
    {
        int calls = flags.Int("--requests", flags.Has("--tiny") ? 50 : 1_000);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var sent = new Moment();
        Task serving = ServeAsync(listener, sent);
        string apiBase = $"http://{listener.LocalEndpoint}/v1";
        await using var manager = new RequestManager(new OpenAIProvider("", apiBase), new RequestManagerOptions { ShowProgress = false });
        using var client = new FastLLMChatClient(manager, "m");
        using var http = new HttpClient();

        List<double> ours = [], raw = [];
        var (late, lateByCollection, lateRaw) = (0, 0, 0);
        for (int i = 0; i < calls + 100; i++)
        {
            int collections = GC.CollectionCount(0);
            double update = await UpdateAsync(client, $"question {i}", sent);
            bool hasCollected = GC.CollectionCount(0) > collections;
            double line = await LineAsync(http, apiBase, sent);
            if (i >= 100)
            {
                // The first ones warm up.
                ours.Add(update);
                raw.Add(line);
                late += update > Bar ? 1 : 0;
                lateByCollection += update > Bar && hasCollected ? 1 : 0;
                lateRaw += line > Bar ? 1 : 0;
            }
        }

        listener.Stop();
        await serving;
        return new Figure("S15", $"first update of a stream after the server's first token, loopback, {calls} calls, ms", "≤ 5", "-",
            $"FastLLMChatClient {Describe(ours)}; first line through HttpClient {Describe(raw)}; "
            + string.Create(CultureInfo.InvariantCulture, $"above {Bar}: {late} ({lateByCollection} with a collection), HttpClient {lateRaw}"));
    }

    private static string Describe(List<double> times)
    {
        times.Sort();
        return string.Create(CultureInfo.InvariantCulture,
            $"median {times[times.Count / 2]:F2}, 99 % {times[times.Count * 99 / 100]:F2}, most {times[^1]:F2}");
    }

    private static async Task<double> UpdateAsync(FastLLMChatClient client, string prompt, Moment sent)
    {
        double? time = null;
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(prompt))
        {
            time ??= update.Text.Length > 0 ? Stopwatch.GetElapsedTime(sent.Value).TotalMilliseconds : null;
        }

        return time!.Value;
    }

    private static async Task<double> LineAsync(HttpClient client, string apiBase, Moment sent)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, apiBase + "/chat/completions") { Content = new StringContent("{}") };
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        await reader.ReadLineAsync();
        double time = Stopwatch.GetElapsedTime(sent.Value).TotalMilliseconds;
        await reader.ReadToEndAsync();
        return time;
    }

    private static async Task ServeAsync(TcpListener listener, Moment sent)
    {
        byte[] first = Encoding.UTF8.GetBytes($"data: {First}\n\n"), last = Encoding.UTF8.GetBytes($"data: {Last}\n\ndata: [DONE]\n\n");
        byte[] head = Encoding.UTF8.GetBytes(Head), buffer = new byte[64 * 1024];
        while (true)
        {
            Socket connection;
            try
            {
                connection = await listener.AcceptSocketAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            using (connection)
            {
                connection.NoDelay = true;
                await ReadRequestAsync(connection, buffer);
                await connection.SendAsync(head);
                await Task.Delay(5);
                sent.Value = Stopwatch.GetTimestamp();
                await connection.SendAsync(first);
                await Task.Delay(5);
                await connection.SendAsync(last);
                connection.Shutdown(SocketShutdown.Both);
            }
        }
    }

    // Bodies here are small and without encoding: the request is whole when as many bytes as announced follow its head.
    private static async Task ReadRequestAsync(Socket connection, byte[] buffer)
    {
        int length = 0;
        while (true)
        {
            int read = await connection.ReceiveAsync(buffer.AsMemory(length));
            length += read;
            string text = Encoding.ASCII.GetString(buffer, 0, length);
            int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            int at = text.IndexOf("Content-Length: ", StringComparison.OrdinalIgnoreCase);
            if (read == 0 || (end >= 0 && at >= 0
                && length - end - 4 >= int.Parse(text[(at + 16)..text.IndexOf('\r', at)], CultureInfo.InvariantCulture)))
            {
                return;
            }
        }
    }

    private sealed class Moment
    {
        private long _value;

        public long Value
        {
            get => Volatile.Read(ref _value);
            set => Volatile.Write(ref _value, value);
        }
    }
}
