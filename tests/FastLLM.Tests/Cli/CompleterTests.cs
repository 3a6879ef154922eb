using FastLLM.Cli;
using Xunit;

namespace FastLLM.Tests.Cli;

public sealed class CompleterTests
{
    [Theory]
    [InlineData("r", "report resume run")]
    [InlineData("run", "run")]
    [InlineData("run --mod", "--model")]
    [InlineData("run in.csv --max-", "--max-cost --max-errors --max-memory")]
    [InlineData("run in.csv --order ", "completion input")]
    [InlineData("run in.csv --order c", "completion")]
    [InlineData("run in.csv --concurrency ", "auto")]
    [InlineData("run in.csv --provider op", "openai openrouter")]
    [InlineData("run in.csv --api-key-env GR", "GROQ_API_KEY")]
    [InlineData("run in.csv --prices ", ":files")]
    [InlineData("run in.csv --template ", "")]
    [InlineData("run in.csv --rpm ", "")]
    [InlineData("run ", ":files")]
    [InlineData("run in.csv --quiet ", ":files")]
    [InlineData("cache st", "stats")]
    [InlineData("cache stats --ca", "--cache --cache-on-network")]
    [InlineData("help te", "templates")]
    [InlineData("completion ", "bash fish powershell zsh")]
    [InlineData("completion :", "bash fish powershell zsh")]
    [InlineData("run nonsense --nonsense ", ":files")]
    public void Complete_FindsWhatFits(string line, string expected)
    {
        var completer = new Completer(new App(_ => null, TextWriter.Null, TextWriter.Null, TimeProvider.System).CreateRoot());

        Assert.Equal(expected, string.Join(' ', completer.Complete(line.Split(' '))));
    }
}
