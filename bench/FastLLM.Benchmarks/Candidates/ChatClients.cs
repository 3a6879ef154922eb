using System.ClientModel;
using Microsoft.Extensions.AI;
using OpenAI;

namespace FastLLM.Benchmarks.Candidates;

/// <summary>An <see cref="IChatClient"/> in the loop that its users write: FastLLM's with everything on, or Microsoft's over OpenAI's library.</summary>
internal sealed class ChatClients(bool isOurs) : ICandidate
{
    public string Name => isOurs ? "FastLLMChatClient" : "Microsoft.Extensions.AI.OpenAI";

    public Func<Task<int>> Prepare(string apiBase, Workload workload, int inFlight) => async () =>
    {
        await using var cache = new InMemoryCache();
        await using RequestManager manager = Engine.Manager(apiBase, inFlight, cache);
        using IChatClient client = isOurs ? new FastLLMChatClient(manager, Workload.Model)
            : new OpenAIClient(new ApiKeyCredential("no-key-needed"), new OpenAIClientOptions { Endpoint = new Uri(apiBase) }).GetChatClient(Workload.Model).AsIChatClient();
        var options = new ChatOptions { Temperature = (float)Workload.Temperature, MaxOutputTokens = Workload.MaxCompletionTokens };
        var texts = new string?[workload.Count];
        await Parallel.ForAsync(0, workload.Count, new ParallelOptions { MaxDegreeOfParallelism = inFlight }, async (i, cancellationToken) =>
        {
            ChatResponse response = await client.GetResponseAsync(
                [new ChatMessage(ChatRole.System, Workload.Instruction), new ChatMessage(ChatRole.User, workload[i])], options, cancellationToken);
            texts[i] = response.Text;
        });
        return texts.Count(text => text is { Length: > 0 });
    };
}
