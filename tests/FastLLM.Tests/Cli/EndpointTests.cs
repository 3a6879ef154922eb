using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class EndpointTests
{
    private const string Canary = "sk-canary-0123456789";

    [Fact]
    public void NoProvider_NamesThreeWaysToContinue()
    {
        string message = Refused(new EndpointChoice());

        Assert.Contains("OPENAI_API_KEY", message, StringComparison.Ordinal);
        Assert.Contains("--base-url", message, StringComparison.Ordinal);
        Assert.Contains("--provider simulator", message, StringComparison.Ordinal);
    }

    [Fact]
    public void NoProvider_NamesOtherKeysButDoesNotUseThem()
    {
        string message = Refused(new EndpointChoice(), ("GROQ_API_KEY", Canary));

        Assert.Contains("--provider groq", message, StringComparison.Ordinal);
        Assert.DoesNotContain(Canary, message, StringComparison.Ordinal);
    }

    [Fact]
    public void SendsNothing_WithoutKey_IsNoError()
    {
        Endpoint endpoint = Resolve(new EndpointChoice("anthropic", SendsNothing: true));

        Assert.Equal((false, null), (endpoint.Preset!.KnowsSchemas, endpoint.KeyVariable));
    }

    [Theory]
    [InlineData("anthropic", null, "anthropic")]
    [InlineData("simulator", null, "simulator")]
    [InlineData(null, "https://api.deepseek.com/v1", "deepseek")]
    [InlineData("vllm", "http://10.0.0.5:8000/v1", "vllm")]
    [InlineData(null, "http://10.0.0.5:8000/v1", null)]
    [InlineData(null, null, null)]
    public void PresetOf_NeedsNoKey(string? provider, string? baseUrl, string? expected) =>
        Assert.Equal(expected, Endpoint.PresetOf(new EndpointChoice(provider, baseUrl), _ => null)?.Name);

    [Theory]
    [InlineData("localhost:8000/v1", "Did you mean http://localhost:8000/v1?")]
    [InlineData("10.0.0.5:8000", "Did you mean http://10.0.0.5:8000?")]
    [InlineData("api.example.com/v1", "Did you mean https://api.example.com/v1?")]
    [InlineData("server", "Use an address such as")]
    [InlineData("ftp://example.com", "Use an address such as")]
    public void BaseUrl_WithoutScheme_SuggestsOne(string address, string advice) =>
        Assert.Contains(advice, Refused(new EndpointChoice(BaseUrl: address)), StringComparison.Ordinal);

    [Fact]
    public void KeyOnly_IsOpenAI()
    {
        Endpoint endpoint = Resolve(new EndpointChoice(), ("OPENAI_API_KEY", $" {Canary}\n"), ("OPENAI_ORG_ID", "org-1"));

        Assert.Equal("https://api.openai.com/v1", endpoint.BaseUrl);
        Assert.Equal("OPENAI_API_KEY", endpoint.KeyVariable);
        Assert.Empty(endpoint.Notices);
        Assert.Equal($"Bearer {Canary}", Headers(endpoint)["Authorization"]);
        Assert.Equal("org-1", Headers(endpoint)["OpenAI-Organization"]);
    }

    [Theory]
    [InlineData(null, "https://api.groq.com/openai/v1", "GROQ_API_KEY")]
    [InlineData(null, "https://API.GROQ.com./openai/v1/", "GROQ_API_KEY")]
    [InlineData("openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY")]
    [InlineData("openai", null, "OPENAI_API_KEY")]
    [InlineData("GROQ", null, "GROQ_API_KEY")]
    [InlineData("vllm", null, "VLLM_API_KEY")]
    [InlineData("vllm", "http://10.0.0.7:8000/v1", "VLLM_API_KEY")]
    public void TheKeyFollowsTheHost(string? provider, string? baseUrl, string variable)
    {
        Endpoint endpoint = Resolve(
            new EndpointChoice(provider, baseUrl),
            ("OPENAI_API_KEY", "openai"), ("GROQ_API_KEY", "groq"), ("OPENROUTER_API_KEY", "openrouter"), ("VLLM_API_KEY", "vllm"));

        Assert.Equal(variable, endpoint.KeyVariable);
        Assert.Equal($"Bearer {variable.Split('_')[0].ToLowerInvariant()}", Headers(endpoint)["Authorization"]);
        Assert.Empty(endpoint.Notices);
    }

    [Theory]
    [InlineData("https://api.groq.com/openai/v1", "GROQ_API_KEY")]
    [InlineData("https://r.openai.azure.com", "AZURE_OPENAI_API_KEY")]
    public void OpenAIKey_IsNotSentToAnotherProvider(string baseUrl, string wanted)
    {
        string message = Refused(new EndpointChoice(BaseUrl: baseUrl), ("OPENAI_API_KEY", Canary));

        Assert.Contains(wanted, message, StringComparison.Ordinal);
        Assert.Contains("--api-key-env", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://api.openai.com.evil.example/v1", "api.openai.com.evil.example")]
    [InlineData("https://notapi.openai.com/v1", "notapi.openai.com")]
    [InlineData("http://localhost:8000/v1", "localhost:8000")]
    [InlineData("https://api.оpenai.com/v1", "xn--")] // a Cyrillic о
    public void OpenAIKey_UnknownHost_AddsANotice(string baseUrl, string host)
    {
        foreach (Endpoint endpoint in (Endpoint[])[
            Resolve(new EndpointChoice(BaseUrl: baseUrl), ("OPENAI_API_KEY", Canary)),
            Resolve(new EndpointChoice(), ("OPENAI_API_KEY", Canary), ("OPENAI_BASE_URL", baseUrl))])
        {
            string notice = Assert.Single(endpoint.Notices);
            Assert.Contains("OPENAI_API_KEY", notice, StringComparison.Ordinal);
            Assert.Contains(host, notice, StringComparison.Ordinal);
            Assert.DoesNotContain(Canary, notice, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("lmstudio")]
    [InlineData("ollama")]
    public void SelfHostedServer_GetsNoOpenAIKey(string provider)
    {
        Endpoint endpoint = Resolve(new EndpointChoice(provider), ("OPENAI_API_KEY", Canary));

        Assert.Null(endpoint.KeyVariable);
        Assert.False(Headers(endpoint).ContainsKey("Authorization"));
    }

    [Fact]
    public void UnknownHost_NeedsNoKey()
    {
        Endpoint endpoint = Resolve(new EndpointChoice(BaseUrl: "https://llm.example/v1/"));

        Assert.Equal("https://llm.example/v1", endpoint.BaseUrl);
        Assert.Null(endpoint.KeyVariable);
        Assert.Empty(endpoint.Notices);
    }

    [Fact]
    public void ApiKeyEnv_OverridesTheHost()
    {
        Endpoint endpoint = Resolve(new EndpointChoice(BaseUrl: "https://llm.example/v1", ApiKeyEnv: "MY_KEY"), ("MY_KEY", "mine"), ("OPENAI_API_KEY", Canary));

        Assert.Equal("Bearer mine", Headers(endpoint)["Authorization"]);
        Assert.Empty(endpoint.Notices);
    }

    [Theory]
    [InlineData(Canary)]
    [InlineData("gskcanary0123456789")]
    public void ApiKeyEnv_Key_IsNotRepeated(string key)
    {
        Assert.DoesNotContain(key, Refused(new EndpointChoice(BaseUrl: "https://llm.example/v1", ApiKeyEnv: key)), StringComparison.Ordinal);
    }

    [Fact]
    public void InvalidKey_IsNotShown()
    {
        string message = Refused(new EndpointChoice(), ("OPENAI_API_KEY", $"{Canary}\nX: y"));

        Assert.Contains("OPENAI_API_KEY", message, StringComparison.Ordinal);
        Assert.DoesNotContain(Canary, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://r.openai.azure.com/", "https://r.openai.azure.com/openai/v1")]
    [InlineData("https://r.openai.azure.com/openai/v1/", "https://r.openai.azure.com/openai/v1")]
    public void Azure_ResolvesResourceAndKeyHeader(string given, string baseUrl)
    {
        foreach (Endpoint endpoint in (Endpoint[])[
            Resolve(new EndpointChoice("azure"), ("AZURE_OPENAI_ENDPOINT", given), ("AZURE_OPENAI_API_KEY", "azure")),
            Resolve(new EndpointChoice(BaseUrl: given), ("AZURE_OPENAI_API_KEY", "azure"))])
        {
            Assert.Equal(baseUrl, endpoint.BaseUrl);
            Assert.Equal("azure", Headers(endpoint)["api-key"]);
            Assert.False(Headers(endpoint).ContainsKey("Authorization"));
        }
    }

    [Fact]
    public void Azure_WithoutResource_IsRejected() =>
        Assert.Contains("AZURE_OPENAI_ENDPOINT", Refused(new EndpointChoice("azure"), ("AZURE_OPENAI_API_KEY", "k")), StringComparison.Ordinal);

    [Theory]
    [InlineData("http://localhost:8000/v1")]
    [InlineData("http://127.3.2.1/v1")]
    [InlineData("http://[::1]:8000/v1")]
    [InlineData("http://[::ffff:10.0.0.1]/v1")]
    [InlineData("http://10.255.0.1/v1")]
    [InlineData("http://172.16.0.1/v1")]
    [InlineData("http://172.31.255.255/v1")]
    [InlineData("http://192.168.1.1/v1")]
    [InlineData("http://[fd12:3456::1]/v1")]
    [InlineData("http://box.local/v1")]
    public void Http_PrivateAddress_IsAllowed(string baseUrl) => Assert.Equal(baseUrl, Resolve(new EndpointChoice(BaseUrl: baseUrl)).BaseUrl);

    [Theory]
    [InlineData("http://api.example/v1")]
    [InlineData("http://172.32.0.1/v1")]
    [InlineData("http://192.169.0.1/v1")]
    [InlineData("http://11.0.0.1/v1")]
    [InlineData("http://10.0.0.1.example/v1")]
    [InlineData("http://localhost.example/v1")]
    [InlineData("http://[fe00::1]/v1")]
    [InlineData("http://[::ffff:8.8.8.8]/v1")]
    public void Http_PublicAddress_NeedsAllowHttp(string baseUrl)
    {
        Assert.Contains("--allow-http", Refused(new EndpointChoice(BaseUrl: baseUrl)), StringComparison.Ordinal);
        Assert.NotNull(Resolve(new EndpointChoice(BaseUrl: baseUrl, AllowHttp: true)).BaseUrl);
    }

    [Theory]
    [InlineData("ftp://x/v1")]
    [InlineData("llm.example/v1")]
    [InlineData("https://user:pass@llm.example/v1")]
    [InlineData("https://llm.example/v1?key=1")]
    public void InvalidBaseUrl_IsRejected(string baseUrl)
    {
        string message = Refused(new EndpointChoice(BaseUrl: baseUrl));

        Assert.Contains("--base-url", message, StringComparison.Ordinal);
        Assert.DoesNotContain("pass", message, StringComparison.Ordinal);
    }

    [Fact]
    public void UnknownProvider_NamesKnownProviders() => Assert.Contains("openrouter", Refused(new EndpointChoice("opnrouter")), StringComparison.Ordinal);

    [Fact]
    public async Task Simulator_ScopeDoesNotIncludeThePort()
    {
        Endpoint endpoint = Resolve(new EndpointChoice("simulator"), ("OPENAI_API_KEY", Canary));
        Assert.True(endpoint.IsSimulator);
        Assert.Null(endpoint.KeyVariable);

        await using Connection connection = await endpoint.ConnectAsync(TestContext.Current.CancellationToken);
        Assert.StartsWith("http://127.0.0.1:", connection.BaseUrl, StringComparison.Ordinal);
        Assert.Equal("simulator 0", connection.Provider.CacheScope);
        await using var manager = new RequestManager(connection.Provider);
        var batch = new RequestBatch();
        batch.Chat.Completions.Create("m", [Message.User("hi")]);
        Assert.Null(Assert.Single(await manager.ProcessBatchAsync(batch, TestContext.Current.CancellationToken)).Error);
    }

    [Fact]
    public void EveryPreset_ResolvesByNameAndHost()
    {
        Assert.Equal(16, Presets.All.Count);
        foreach (Preset preset in Presets.All.Where(preset => preset.BaseUrl is not null))
        {
            Assert.Equal(preset, Resolve(new EndpointChoice(preset.Name), (preset.KeyVariable ?? "NONE", "k")).Preset);
            Assert.Equal(preset.IsOwnServer ? null : preset, Presets.OfHost(new Uri(preset.BaseUrl!)));
        }
    }

    private static Endpoint Resolve(EndpointChoice choice, params (string Name, string Value)[] variables) => Endpoint.Resolve(
        choice, name => variables.Where(variable => variable.Name == name).Select(variable => variable.Value).FirstOrDefault());

    private static string Refused(EndpointChoice choice, params (string Name, string Value)[] variables) =>
        Assert.Throws<UsageException>(() => Resolve(choice, variables)).Message;

    private static IReadOnlyDictionary<string, string> Headers(Endpoint endpoint) => endpoint.CreateProvider().GetRequestHeaders();
}
