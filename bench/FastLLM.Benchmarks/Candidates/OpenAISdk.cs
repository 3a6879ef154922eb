using System.ClientModel;
using OpenAI;
using OpenAI.Chat;

namespace FastLLM.Benchmarks.Candidates;

/// <summary>OpenAI's own library, retries at their default, in the loop that its users write.</summary>
internal sealed class OpenAISdk : ICandidate
{
    private long _tokens;

    public string Name => "OpenAI .NET SDK";

    public Func<Task<int>> Prepare(string apiBase, Workload workload, int inFlight) => async () =>
    {
        var client = new ChatClient(Workload.Model, new ApiKeyCredential("no-key-needed"), new OpenAIClientOptions { Endpoint = new Uri(apiBase) });
        var texts = new string?[workload.Count];
        await Parallel.ForAsync(0, workload.Count, new ParallelOptions { MaxDegreeOfParallelism = inFlight }, async (i, cancellationToken) =>
            texts[i] = await AskAsync(client, workload[i], cancellationToken));
        return texts.Count(text => text is { Length: > 0 });
    };

    private async Task<string?> AskAsync(ChatClient client, string prompt, CancellationToken cancellationToken)
    {
        var options = new ChatCompletionOptions { Temperature = (float)Workload.Temperature, MaxOutputTokenCount = Workload.MaxCompletionTokens };
        ClientResult<OpenAI.Chat.ChatCompletion> result = await client.CompleteChatAsync(
            [new SystemChatMessage(Workload.Instruction), new UserChatMessage(prompt)], options, cancellationToken);
        Interlocked.Add(ref _tokens, result.Value.Usage.TotalTokenCount);
        return result.Value.Content[0].Text;
    }
}
