using System.Text.Json;
using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class AppTests : IDisposable
{
    private const string Canary = "sk-canary-0123456789";

    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    [Theory]
    [InlineData("--nonsense")]
    [InlineData("nonsense")]
    [InlineData("simulate --nonsense")]
    [InlineData("simulate --port")]
    [InlineData("simulate --port x")]
    [InlineData("simulate --port 65536")]
    [InlineData("simulate --port -1")]
    [InlineData("simulate --latency soon")]
    [InlineData("simulate --latency 2000h")]
    [InlineData("simulate --error-rate 1.5")]
    [InlineData("simulate --error-rate NaN")]
    [InlineData("simulate --error-status 200")]
    [InlineData("run in.jsonl --base-url http://127.0.0.1:1/v1 --rpm 0")]
    [InlineData("run in.jsonl --base-url http://127.0.0.1:1/v1 --tpm many")]
    [InlineData("run in.jsonl --base-url http://127.0.0.1:1/v1 --rpd -5")]
    [InlineData("run in.jsonl --base-url http://127.0.0.1:1/v1 --concurrency 0")]
    [InlineData("")]
    public async Task InvalidUsage_Is2_OnStandardError(string line)
    {
        Assert.Equal(ExitCode.Usage, await RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
        Assert.StartsWith("fastllm: ", _error.ToString(), StringComparison.Ordinal);
        Assert.Empty(_output.ToString());
    }

    [Theory]
    [InlineData("--max-cost much", "--max-cost \"much\" is not valid. Use an amount in US dollars")]
    [InlineData("--confirm-above -1", "--confirm-above")]
    [InlineData("--prices nowhere.json", "--prices: File not found: nowhere.json")]
    [InlineData("--max-cost 1 --no-fastllm-member", "A budget needs the cost of each row")]
    public async Task Run_InvalidCostOption_IsReported(string options, string message)
    {
        Assert.Equal(ExitCode.Usage, await RunAsync(["run", typeof(AppTests).Assembly.Location, "--base-url", "http://127.0.0.1:1/v1", "--no-cache", .. options.Split(' ')]));
        Assert.Contains(message, _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--timeout soon", "--timeout")]
    [InlineData("--timeout 0", "--timeout must be more than 0")]
    [InlineData("--idle-timeout 0s", "--idle-timeout must be more than 0")]
    [InlineData("--idle-timeout 11m", "--idle-timeout (660 s) is longer than --timeout (600 s)")]
    [InlineData("--first-byte-timeout 3s --timeout 2s", "--first-byte-timeout (3 s) is longer than --timeout (2 s)")]
    [InlineData("--total-timeout 10s --timeout 20s", "--timeout (20 s) is longer than --total-timeout (10 s)")]
    [InlineData("--total-timeout 10s --idle-timeout 20s", "--idle-timeout (20 s) is longer than --timeout (10 s)")]
    [InlineData("--total-timeout 8000h", "--total-timeout must be more than 0 and at most 7 days")]
    [InlineData("--stream maybe", "--stream \"maybe\" is not valid. Use auto or off.")]
    public async Task Run_InvalidTimeOption_IsReported(string options, string message)
    {
        // An existing file: only the options are invalid.
        Assert.Equal(ExitCode.Usage, await RunAsync(["run", typeof(AppTests).Assembly.Location, .. options.Split(' ')]));
        Assert.Contains(message, _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nonsense", "fastllm")]
    [InlineData("run", "fastllm run")]
    [InlineData("cache stats --nonsense", "fastllm cache stats")]
    public async Task InvalidUsage_NamesTheHelpOfTheCommand(string line, string command)
    {
        Assert.Equal(ExitCode.Usage, await RunAsync(line.Split(' ')));
        Assert.EndsWith($"See: {command} --help{Environment.NewLine}", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("run -h")]
    [InlineData("cache stats --help")]
    public async Task Help_Is0_OnStandardOutput(string line)
    {
        Assert.Equal(ExitCode.Ok, await RunAsync(line.Split(' ')));
        Assert.Contains("Usage:", _output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("FastLLM.Cli", _output.ToString(), StringComparison.Ordinal);
        Assert.Empty(_error.ToString());
    }

    [Fact]
    public async Task Providers_ShowsWhichKeysAreSet_NotTheKeys()
    {
        Assert.Equal(ExitCode.Ok, await RunAsync("providers"));

        string table = _output.ToString();
        Assert.All(Presets.All, preset => Assert.Contains(preset.Name, table, StringComparison.Ordinal));
        Assert.Matches("(?m)^groq .*GROQ_API_KEY +set$", table);
        Assert.Matches("(?m)^openai .*OPENAI_API_KEY +not set$", table);
        Assert.DoesNotContain(Canary, table, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Providers_Json_ListsTheSame()
    {
        Assert.Equal(ExitCode.Ok, await RunAsync("providers", "--json"));

        JsonElement[] providers = [.. JsonDocument.Parse(_output.ToString()).RootElement.EnumerateArray()];
        Assert.Equal(Presets.All.Select(preset => preset.Name), providers.Select(provider => provider.GetProperty("name").GetString()));
        JsonElement groq = Assert.Single(providers, provider => provider.GetProperty("name").GetString() == "groq");
        Assert.True(groq.GetProperty("api_key_set").GetBoolean());
        Assert.DoesNotContain(Canary, _output.ToString(), StringComparison.Ordinal);
    }

    private Task<int> RunAsync(params string[] arguments) =>
        new App(name => name == "GROQ_API_KEY" ? Canary : null, _output, _error, TimeProvider.System).RunAsync(arguments);
}
