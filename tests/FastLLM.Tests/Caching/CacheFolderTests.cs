using System.Diagnostics;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Caching;

/// <summary>A cache is in a folder of its user, and its files are not reached through links.</summary>
public sealed class CacheFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData((UnixFileMode)0b111_000_000)]
    [InlineData((UnixFileMode)0b111_101_101)]
    [InlineData((UnixFileMode)0b111_111_111)]
    [InlineData((UnixFileMode)0b001_111_111_111)] // as /tmp
    public async Task Open_FolderOfTheUser_IsTaken(UnixFileMode mode)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has other permissions.");
        string path = Directory.CreateDirectory(_folder.In("cache")).FullName;
        SetMode(path, mode);

        await new DiskCache(path).DisposeAsync();

        Assert.Equal((UnixFileMode)0b110_000_000, ModeOf(Path.Combine(path, "cache.db")));
    }

    [Theory]
    [InlineData((UnixFileMode)0b111_101_101)]
    [InlineData((UnixFileMode)0b111_111_111)]
    [InlineData((UnixFileMode)0b001_111_111_111)]
    public void Open_FolderOfAnotherUserWhoMayWrite_IsRefused(UnixFileMode mode)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Only root gives files away.");
        string path = Directory.CreateDirectory(_folder.In("cache")).FullName;
        SetMode(path, mode);
        GiveAway(path);

        var refused = Assert.Throws<IOException>(() => new DiskCache(path));

        Assert.Contains("Other users may write", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(path));
    }

    [Fact]
    public void Open_FileOfAnotherUserInAnOpenFolder_IsRefused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "Only root gives files away.");
        string path = Directory.CreateDirectory(_folder.In("cache")).FullName;
        SetMode(path, (UnixFileMode)0b111_111_111);
        File.WriteAllText(Path.Combine(path, "cache.db"), "");
        GiveAway(Path.Combine(path, "cache.db"));

        var refused = Assert.Throws<IOException>(() => new DiskCache(path));

        Assert.Contains("belongs to another user", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_NewFolderInASharedOne_IsTaken()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has other permissions.");
        SetMode(Directory.CreateDirectory(_folder.In("tmp")).FullName, (UnixFileMode)0b001_111_111_111);

        await new DiskCache(_folder.In("tmp/cache")).DisposeAsync();

        Assert.Equal((UnixFileMode)0b111_000_000, ModeOf(_folder.In("tmp/cache")));
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
            await cache.PutAsync(default, new CacheEntry("{}"u8.ToArray(), "s", 200, DateTimeOffset.UnixEpoch), TestContext.Current.CancellationToken);
        }
        catch (IOException e)
        {
            Assert.Contains("symbolic link", e.Message, StringComparison.Ordinal);
        }

        Assert.Equal("precious", File.ReadAllText(_folder.In("target")));
    }

    [Theory]
    [InlineData("cache.db", "precious")]
    [InlineData("cache.db", "")]
    [InlineData("cache.db", null)]
    [InlineData("cache.db-wal", "precious")]
    [InlineData("cache.db-wal", null)]
    [InlineData("cache.db-shm", "precious")]
    [InlineData("cache.db-shm", null)]
    [InlineData("cache.db-journal", "precious")]
    public async Task Open_LinkInPlaceOfTheDatabase_IsRefused(string name, string? target)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows wants a privilege for links.");
        string path = _folder.In("cache");
        foreach (bool isNew in (bool[])[true, false])
        {
            if (!isNew)
            {
                File.Delete(Path.Combine(path, name));
                await using var sound = new DiskCache(path);
            }

            Directory.CreateDirectory(path);
            File.Delete(Path.Combine(path, name));
            File.CreateSymbolicLink(Path.Combine(path, name), _folder.In("target"));
            if (target is not null)
            {
                File.WriteAllText(_folder.In("target"), target);
            }

            var refused = Assert.Throws<IOException>(() => new DiskCache(path));

            Assert.Contains($"{name} is a symbolic link to {_folder.In("target")}", refused.Message, StringComparison.Ordinal);
            Assert.Equal(target, File.Exists(_folder.In("target")) ? File.ReadAllText(_folder.In("target")) : null);
        }
    }

    [Fact]
    public async Task Open_LinkToAnotherCache_IsRefused()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows wants a privilege for links.");
        await new DiskCache(_folder.In("other")).DisposeAsync();
        Directory.CreateDirectory(_folder.In("cache"));
        File.CreateSymbolicLink(_folder.In("cache/cache.db"), _folder.In("other/cache.db"));

        Assert.Throws<IOException>(() => new DiskCache(_folder.In("cache")));

        Assert.Equal(["cache.db"], Directory.GetFiles(_folder.In("other"), "cache.db*").Select(Path.GetFileName));
    }

    [Fact]
    public async Task Open_New_OnlyTheOwnerCanReadTheDatabase()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has other permissions.");
        await using var cache = new DiskCache(_folder.In("cache"));

        Assert.All(Directory.GetFiles(_folder.In("cache"), "cache.db*"), file => Assert.Equal((UnixFileMode)0b110_000_000, ModeOf(file)));
    }

    private static void SetMode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }

    private static UnixFileMode ModeOf(string path) => OperatingSystem.IsWindows() ? default : File.GetUnixFileMode(path);

    private static void GiveAway(string path)
    {
        using Process chown = Process.Start("chown", ["65534", path]);
        chown.WaitForExit();
        Assert.Equal(0, chown.ExitCode);
    }
}
