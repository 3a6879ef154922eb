using FastLLM.Jobs.Output;
using FastLLM.TestKit;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

/// <summary>The lock on the output itself excludes a second writer until it is released, and no reader.</summary>
public sealed class DataLockTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TryTake_SecondWriter_IsRefusedUntilTheRelease()
    {
        Assert.SkipUnless(DataLock.IsSupported, "Only Linux has this lock.");
        string path = _folder.In("out.jsonl");
        using SafeFileHandle one = Open(path), other = Open(path);

        Assert.True(DataLock.TryTake(one));
        Assert.False(DataLock.TryTake(other));
        Assert.True(DataLock.IsTaken(path));
        Assert.Equal("", File.ReadAllText(path));

        DataLock.Release(one); // not closed: as a copy of the handle in a process that is being started
        Assert.False(DataLock.IsTaken(path));
        Assert.True(DataLock.TryTake(other));
    }

    [Fact]
    public void IsTaken_NoRegularFile_IsFalse()
    {
        Assert.False(DataLock.IsTaken(_folder.In("missing")));
        Assert.False(DataLock.IsTaken(Directory.CreateDirectory(_folder.In("folder")).FullName));
    }

    private static SafeFileHandle Open(string path) =>
        File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
}
