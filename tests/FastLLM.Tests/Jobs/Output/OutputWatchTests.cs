using FastLLM.Jobs.Output;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

public sealed class OutputWatchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-watch").FullName;

    private string Home => Path.Combine(_folder, "home");

    private string Out => Path.Combine(Home, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // by the run itself, which keeps its lock there
    public void WriteAgain_FolderMovedMeanwhile_WritesOnceMore(bool isMadeAgain)
    {
        Directory.CreateDirectory(Home);
        File.WriteAllText(Out, "records\n");
        using SafeFileHandle log = File.OpenHandle(Out);
        var watch = new OutputWatch(Out, TimeProvider.System);
        var moves = 0;

        using SafeFileHandle again = watch.WriteAgain(log, () =>
        {
            if (moves++ == 0)
            {
                Directory.Move(Home, Home + ".elsewhere");
                _ = isMadeAgain ? Directory.CreateDirectory(Home) : null;
            }
        });

        Assert.Equal(2, moves);
        Assert.Equal("records\n", File.ReadAllText(Out));
    }
}
