using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Caching;

/// <summary>A cache is where only its user may write, and its files are not reached through links.</summary>
public sealed class CacheFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData((UnixFileMode)0b111_000_000, true)]
    [InlineData((UnixFileMode)0b111_101_101, true)]
    [InlineData((UnixFileMode)0b111_111_101, true)] // of the user's own group
    [InlineData((UnixFileMode)0b111_111_111, false)]
    [InlineData((UnixFileMode)0b111_000_010, false)]
    [InlineData((UnixFileMode)0b001_111_111_111, false)] // as /tmp
    public async Task Open_FolderWithPermissions_IsTakenOnlyIfTheUserAloneMayWrite(UnixFileMode mode, bool isTaken)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has other permissions.");
        string path = Directory.CreateDirectory(_folder.In("cache")).FullName;
        File.SetUnixFileMode(path, mode);

        if (isTaken)
        {
            await new DiskCache(path).DisposeAsync();
        }
        else
        {
            var refused = Assert.Throws<IOException>(() => new DiskCache(path));
            Assert.Contains("Other users may write", refused.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(path));
        }
    }

    [Fact]
    public async Task Open_NewFolderInASharedOne_IsTaken()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has other permissions.");
        File.SetUnixFileMode(Directory.CreateDirectory(_folder.In("tmp")).FullName, (UnixFileMode)0b001_111_111_111);

        await new DiskCache(_folder.In("tmp/cache")).DisposeAsync();

        Assert.Equal((UnixFileMode)0b111_000_000, File.GetUnixFileMode(_folder.In("tmp/cache")));
    }

    [Theory]
    [InlineData("cache.lock")]
    [InlineData("cache.lock.next")]
    [InlineData("cache.users")]
    [InlineData("cache.seal")]
    [InlineData("cache.reserve")]
    public async Task Open_LinkInPlaceOfAFile_TargetIsUntouched(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows wants a privilege for links.");
        File.WriteAllText(_folder.In("target"), "precious");
        string path = Directory.CreateDirectory(_folder.In("cache")).FullName;
        File.CreateSymbolicLink(Path.Combine(path, name), _folder.In("target"));

        try
        {
            await using var cache = new DiskCache(path);
            await cache.PutAsync(default, new CacheEntry("{}"u8.ToArray(), "s", 200, DateTimeOffset.UnixEpoch));
        }
        catch (IOException e)
        {
            Assert.Contains("symbolic link", e.Message, StringComparison.Ordinal);
        }

        Assert.Equal("precious", File.ReadAllText(_folder.In("target")));
    }
}
