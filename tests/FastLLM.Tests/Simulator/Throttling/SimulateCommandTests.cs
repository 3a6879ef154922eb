using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Simulators.Throttling;

public sealed class SimulateCommandTests
{
    [Theory]
    [InlineData("--throttle rpm:5", "--throttle \"rpm:5\" is not a throttling law. Use random:10%, concurrency:20, window:500/10s,")]
    [InlineData("--throttle random:10% --throttle random:200%", "--throttle \"random:200%\" is not a throttling law: share must be")]
    [InlineData("--throttle-at 20s", "--throttle-at \"20s\" is not a change of throttling. Use TIME=LAW or TIME=none,")]
    [InlineData("--throttle-retry-after soon", "--throttle-retry-after \"soon\" is not a rule for Retry-After. Use a time")]
    public async Task Throttle_Malformed_NamesOptionValueAndForms(string options, string says)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = await new App(_ => null, output, error, TimeProvider.System).RunAsync(["simulate", .. options.Split(' ')]);

        Assert.Equal(ExitCode.Usage, code);
        Assert.StartsWith("fastllm: " + says, error.ToString(), StringComparison.Ordinal);
    }
}
