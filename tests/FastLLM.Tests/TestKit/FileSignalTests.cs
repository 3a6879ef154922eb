using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.TestKits;

public sealed class FileSignalTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TaskCompletionSource _writer = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task WaitAsync_CompletesWhenTheConditionHolds()
    {
        string file = _folder.In("a");
        Task written = FileSignal.WaitAsync(_folder.Path, () => File.Exists(file) && new FileInfo(file).Length == 2, _writer.Task);
        await File.WriteAllTextAsync(file, "1", TestContext.Current.CancellationToken);
        Assert.False(written.IsCompleted);

        await File.AppendAllTextAsync(file, "2", TestContext.Current.CancellationToken);
        await written;
    }

    [Fact]
    public async Task WaitAsync_CompletesWhenTheWriterHasEnded()
    {
        Task written = FileSignal.WaitAsync(_folder.Path, () => false, _writer.Task);
        Assert.False(written.IsCompleted);

        _writer.SetResult();
        await written;
    }
}
