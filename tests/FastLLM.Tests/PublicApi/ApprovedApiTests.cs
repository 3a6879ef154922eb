using Xunit;

namespace FastLLM.Tests.PublicApi;

public sealed class ApprovedApiTests
{
    [Theory]
    [InlineData(typeof(LlmRequest), "FastLLM")]
    [InlineData(typeof(FastLLM.Simulator.SimulatorServer), "FastLLM.Simulator")]
    [InlineData(typeof(Job), "FastLLM.Jobs")]
    [InlineData(typeof(ClusterStore), "FastLLM.Cluster")]
    [InlineData(typeof(FastLLMChatClient), "FastLLM.Extensions.AI")]
    public void PublicApi_IsApproved(Type inAssembly, string name)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "PublicApi");
        string approved = Path.Combine(folder, $"{name}.approved.txt");
        string received = Path.Combine(folder, $"{name}.received.txt");
        string surface = ApiDump.Of(inAssembly.Assembly);
        string known = File.Exists(approved) ? File.ReadAllText(approved).ReplaceLineEndings("\n") : "";
        if (surface == known)
        {
            File.Delete(received);
            return;
        }

        File.WriteAllText(received, surface);
        IEnumerable<string> gone = known.Split('\n').Except(surface.Split('\n')).Select(line => "- " + line);
        IEnumerable<string> came = surface.Split('\n').Except(known.Split('\n')).Select(line => "+ " + line);
        Assert.Fail(string.Join('\n', gone.Concat(came).Take(40))
            + $"\nThe public surface has changed. If that is meant, copy {received} over tests/FastLLM.Tests/PublicApi/{name}.approved.txt and commit it.");
    }
}
