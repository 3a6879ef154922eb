using System.Text.Json;

namespace FastLLM.TestKit.Crash;

/// <summary>The simulator's ledger, read back: every send in the order of arrival, with its answer where that was taken whole.</summary>
public sealed class SentLedger
{
    private readonly HashSet<(string Request, string Answer)> _answers = [];

    private SentLedger(List<Sent> requests)
    {
        Requests = requests;
        foreach (Sent sent in requests)
        {
            if (sent.Answer is { } answer)
            {
                _answers.Add((sent.Body, answer));
            }
        }
    }

    public IReadOnlyList<Sent> Requests { get; }

    /// <summary>Whether the server has ever given this answer to this request; both are named by the SHA-256 of their bodies.</summary>
    public bool Holds(string request, string answer) => _answers.Contains((request, answer));

    public static SentLedger Parse(byte[] lines)
    {
        var requests = new List<Sent>();
        foreach (Range range in Lines(lines))
        {
            using JsonDocument line = JsonDocument.Parse(lines.AsMemory(range));
            JsonElement root = line.RootElement;
            DateTimeOffset at = DateTimeOffset.FromUnixTimeMilliseconds(root.GetProperty("at").GetInt64());
            string body = root.GetProperty("sha256").GetString()!;
            if (root.TryGetProperty("request", out _))
            {
                requests.Add(new Sent(body, at));
            }
            else
            {
                Sent sent = requests[(int)root.GetProperty("response").GetInt64() - 1];
                sent.Answer = body;
                sent.AnsweredAt = at;
            }
        }

        return new SentLedger(requests);
    }

    private static IEnumerable<Range> Lines(byte[] text)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = Array.IndexOf(text, (byte)'\n', start);
            yield return start..end;
            start = end + 1;
        }
    }
}

/// <summary>A send as the server saw it.</summary>
public sealed class Sent(string body, DateTimeOffset at)
{
    /// <summary>Gets the SHA-256 of its body.</summary>
    public string Body { get; } = body;

    public DateTimeOffset At { get; } = at;

    /// <summary>Gets or sets the SHA-256 of the answer, if the connection took it whole.</summary>
    public string? Answer { get; set; }

    public DateTimeOffset AnsweredAt { get; set; }
}
