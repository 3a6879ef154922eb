using FastLLM.Cli;
using FastLLM.Cluster.Chunks;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class ClusterEndpointTests
{
    [Fact]
    public void Resolve_KeyThatIsNotSetHere_IsNamedForTheWorkers()
    {
        Endpoint endpoint = ClusterEndpoint.Resolve(new EndpointChoice(Provider: "openai"), _ => null);

        Assert.Equal(("OPENAI_API_KEY", OpenAIProvider.DefaultApiBase), (endpoint.KeyVariable, endpoint.BaseUrl));
        Assert.Throws<UsageException>(() => ClusterEndpoint.Resolve(new EndpointChoice(), _ => null));
        Assert.Contains("fastllm simulate", Assert.Throws<UsageException>(
            () => ClusterEndpoint.Resolve(new EndpointChoice(Provider: "simulator"), _ => null)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://api.openai.com/v1", "OPENAI_API_KEY", false, true)]
    [InlineData("https://elsewhere.example/v1", "OPENAI_API_KEY", false, false)]
    [InlineData("https://elsewhere.example/v1", "OPENAI_API_KEY", true, true)]
    [InlineData("https://api.openai.com/v1", "PGPASSWORD", false, false)]
    [InlineData("https://elsewhere.example/v1", null, false, true)]
    public void Connect_KeyOfAnotherHost_IsRefusedUnlessAllowed(string baseUrl, string? variable, bool isAllowed, bool isSent)
    {
        var spec = new JobSpec { BaseUrl = baseUrl, KeyVariable = variable };
        string[] allowed = isAllowed ? ["OPENAI_API_KEY"] : [];

        if (isSent)
        {
            OpenAIProvider provider = ClusterEndpoint.Connect(spec, allowed, _ => "secret");
            Assert.Equal(variable is not null, provider.GetRequestHeaders().ContainsKey("Authorization"));
        }
        else
        {
            UsageException e = Assert.Throws<UsageException>(() => ClusterEndpoint.Connect(spec, allowed, _ => "secret"));
            Assert.Contains("--api-key-env", e.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("jobs --store postgres://u:hidden@h/d")]
    [InlineData("jobs --store Host=h;Password=hidden")]
    [InlineData("resume x --broker amqp://u:hidden@h/v")]
    public async Task PasswordInAnArgument_IsRefused(string line)
    {
        using var errors = new StringWriter();
        int exit = await new App(_ => null, TextWriter.Null, errors, TimeProvider.System).RunAsync(line.Split(' '));

        Assert.Equal(2, exit);
        Assert.Contains("contains a password", errors.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", errors.ToString(), StringComparison.Ordinal);
    }
}
