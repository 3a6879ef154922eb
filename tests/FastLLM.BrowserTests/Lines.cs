using System.Globalization;
using System.Text.Json;

namespace FastLLM.BrowserTests;

/// <summary>Lines of OUTPUT.</summary>
internal static class Lines
{
    public static string Answer(string id, string text, string model = "m", string finishReason = "stop", object? own = null) => JsonSerializer.Serialize(new
    {
        id = "batch_req_1",
        custom_id = id,
        response = new
        {
            status_code = 200,
            request_id = "r",
            body = new
            {
                model,
                choices = new[] { new { index = 0, message = new { role = "assistant", content = text }, finish_reason = finishReason } },
                usage = new { prompt_tokens = 10 + (text.Length % 50), completion_tokens = text.Length / 4, total_tokens = 0 },
            },
        },
        error = (object?)null,
        fastllm = own ?? new { key = new string('0', 64), attempts = 1, latency_ms = 100 + (text.Length % 900) },
    });

    public static string Failure(string id, string kind, string message) => JsonSerializer.Serialize(new
    {
        id = "batch_req_1",
        custom_id = id,
        response = (object?)null,
        error = new { code = kind, message },
        fastllm = new { key = new string('0', 64), attempts = 3, failure = kind, message },
    });

    /// <summary>Rows as runs leave them: a thousand characters each, over some minutes, one in fifty failed.</summary>
    public static IEnumerable<string> Run(int rows)
    {
        string words = string.Concat(Enumerable.Repeat("The customer is content with the delivery. ", 23));
        var begin = new DateTime(2026, 1, 31, 9, 0, 0, DateTimeKind.Utc);
        for (var i = 0; i < rows; i++)
        {
            string at = begin.AddMilliseconds(20 * i).ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
            string id = $"row-{i}";
            yield return i % 50 == 49
                ? Failure(id, "context_length", "The prompt is too long.")
                : Answer(id, $"{words}Needle {i} end.", own: new { key = new string('0', 64), attempts = 1, latency_ms = 200 + (i * 37 % 1900), at, limited_by = "concurrency" });
        }
    }
}
