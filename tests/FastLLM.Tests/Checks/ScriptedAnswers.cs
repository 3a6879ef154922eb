using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;

namespace FastLLM.Tests.Checks;

/// <summary>A provider without a network whose answers are texts: a script says what becomes of each send.</summary>
/// <param name="script">Gets the request, and how often it has been sent, from 1.</param>
internal sealed class ScriptedAnswers(Func<LlmRequest, int, CancellationToken, Task<string>> script)
    : Provider<LlmResponse>("", "http://scripted.test/v1")
{
    private readonly ConcurrentDictionary<RequestKey, int> _sends = new();

    /// <summary>Answers by the last message of the conversation.</summary>
    public ScriptedAnswers(Func<string, string> answer)
        : this((request, _, _) => Task.FromResult(answer(LastOf(request))))
    {
    }

    public int Sends => _sends.Values.Sum();

    /// <summary>The requests that were sent, in no order.</summary>
    public ConcurrentBag<LlmRequest> Requests { get; } = [];

    public string FinishReason { get; init; } = "stop";

    /// <summary>The text of the last message, as a user would read it.</summary>
    public static string LastOf(LlmRequest request)
    {
        using JsonDocument body = JsonDocument.Parse(request.Body);
        return body.RootElement.GetProperty("messages").EnumerateArray().Last().GetProperty("content").GetString()!;
    }

    public override IReadOnlyDictionary<string, string> GetRequestHeaders() => new Dictionary<string, string>();

    public override async Task<LlmResponse> MakeRequestAsync(
        HttpClient client, LlmRequest request, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        Requests.Add(request);
        int nth = _sends.AddOrUpdate(request.Key, 1, static (_, count) => count + 1);
        return Completion(await script(request, nth, cancellationToken), FinishReason);
    }

    /// <summary>A completion of 7 tokens: 3 of the prompt, 4 of the answer.</summary>
    public static LlmResponse Completion(string text, string finishReason = "stop") => LlmResponse.FromBody(Encoding.UTF8.GetBytes(
        $$$"""{"choices":[{"index":0,"message":{"role":"assistant","content":{{{JsonSerializer.Serialize(text)}}}},"finish_reason":"""
        + $"\"{finishReason}\"}}],"
        + """  "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"""));
}
