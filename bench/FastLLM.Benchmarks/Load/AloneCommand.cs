using FastLLM.Benchmarks.Candidates;
using FastLLM.Benchmarks.Serving;

namespace FastLLM.Benchmarks.Load;

/// <summary>One candidate alone, round after round, for a profiler to look at.</summary>
internal static class AloneCommand
{
    public static async Task<int> RunAsync(Flags flags)
    {
        ICandidate? candidate = flags.Word switch
        {
            "raw" => new RawHttpClient(),
            "sdk" => new OpenAISdk(),
            "fastllm" => new Engine(flags.Has("--prebuilt"), flags.Has("--read-text")),
            _ => null,
        };
        if (candidate is null)
        {
            await Console.Error.WriteLineAsync("Which candidate? There are raw, sdk and fastllm.");
            return 2;
        }

        await using ServerProcess server = await ServerProcess.StartAsync();
        for (int round = 0; round < flags.Int("--rounds", 5); round++)
        {
            Console.WriteLine(await Round.RunAsync(candidate, server.ApiBase, flags.Int("--requests", 100_000), flags.Int("--in-flight", 100)));
        }

        return 0;
    }
}
