using Xunit;

namespace FastLLM.Tests.PublicApi;

public sealed class ApprovedApiTests
{
    [Fact]
    public void ThePublicSurface_IsTheApprovedOne()
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "PublicApi");
        string approved = Path.Combine(folder, "FastLLM.approved.txt");
        string received = Path.Combine(folder, "FastLLM.received.txt");
        string surface = ApiDump.Of(typeof(LlmRequest).Assembly);
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
            + $"\nThe public surface has changed. If that is meant, copy {received} over tests/FastLLM.Tests/PublicApi/FastLLM.approved.txt and commit it.");
    }
}
