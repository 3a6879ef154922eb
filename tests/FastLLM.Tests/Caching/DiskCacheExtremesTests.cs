using System.Runtime.Versioning;
using System.Text;
using FastLLM.Caching;
using FastLLM.Pipeline;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Caching;

public sealed class DiskCacheExtremesTests : IDisposable
{
    private const string Here = "https://here.example/v1";

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(36_500)] // before 1970
    [InlineData(10_000_000)] // before all calendars
    public async Task PruneAsync_OlderThanAnyEntry_RemovesNothing(int days)
    {
        await using DiskCache cache = Open();
        await cache.PutAsync(Key(1), Entry("x"), Cancel);

        Assert.Equal(0, await cache.PruneAsync(TimeSpan.FromDays(days), cancellationToken: Cancel));
        Assert.True(await cache.ExistsAsync(Key(1), Here, Cancel));
    }

    [Fact]
    public async Task PruneAsync_NegativeAge_Throws()
    {
        await using DiskCache cache = Open();
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => cache.PruneAsync(TimeSpan.FromTicks(-1), cancellationToken: Cancel));
    }

    [Fact]
    public async Task Ttl_MaxValue_FindsEverything()
    {
        await using DiskCache cache = Open(new DiskCacheOptions { Ttl = TimeSpan.MaxValue });
        await cache.PutAsync(Key(1), Entry("x"), Cancel);

        Assert.True(await cache.ExistsAsync(Key(1), Here, Cancel));
        Assert.Equal(0, await cache.PruneAsync(cancellationToken: Cancel));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public async Task Folder_TrailingSlash_IsPrivate()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Modes are POSIX's.");
        await using var cache = new DiskCache(_folder.In("cache") + "/");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(cache.Folder));
    }

    [Fact]
    public async Task Lock_CannotBeOpened_IsAnError()
    {
        DiskCache cache = Open();
        await cache.PutAsync(Key(1), Entry("x"), Cancel);
        string held = Path.Combine(cache.Folder, "cache.lock");
        File.Delete(held);
        Directory.CreateDirectory(held); // refused like a file without permission, and to root too

        await Assert.ThrowsAnyAsync<IOException>(async () => await cache.PutAsync(Key(2), Entry("x"), Cancel));
        await cache.CloseAsync(Cancel);

        Directory.Delete(held);
        await using DiskCache again = Open();
        Assert.True(await again.ExistsAsync(Key(1), Here, Cancel));
    }

    [Fact]
    public void Lock_TextCannotBeWritten_IsReleased()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "Needs a device that is always full.");
        static FileStream Full() => new("/dev/full", FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);

        Assert.Throws<IOException>(() => FolderLock.TryTake(Full, "identity"u8.ToArray()));
        Assert.Throws<IOException>(() => FolderLock.TryTake(Full, "identity"u8.ToArray()));
        using IDisposable? taken = FolderLock.TryTake(Full, null);
        Assert.NotNull(taken); // who has it is good to know, no more
    }

    [Theory]
    [InlineData("\"scope\":\"s\"", "\"scope\":null")]
    [InlineData("\"status\":200", "\"status\":500")]
    [InlineData("\"status\":200", "\"status\":-1")]
    [InlineData("\"created\":\"2025", "\"created\":\"1925")]
    public async Task ImportAsync_InvalidLine_ThrowsWithItsNumber(string sound, string wrong)
    {
        await using DiskCache cache = Open();
        await cache.PutAsync(Key(1), Entry("x") with { Scope = "s" }, Cancel);
        using var lines = new MemoryStream();
        await cache.ExportAsync(lines, Cancel);
        string line = Encoding.UTF8.GetString(lines.ToArray());
        Assert.Contains(sound, line, StringComparison.Ordinal);
        await cache.ClearAsync(Cancel);

        byte[] hostile = Encoding.UTF8.GetBytes(line.Replace(sound, wrong, StringComparison.Ordinal));
        FormatException fault = await Assert.ThrowsAsync<FormatException>(() => cache.ImportAsync(new MemoryStream(hostile), Cancel));
        Assert.StartsWith("Line 1 ", fault.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await cache.GetStatsAsync(Cancel)).Entries);
    }

    [Fact]
    public async Task ImportAsync_FolderReplaced_Throws()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Files in use cannot be removed there.");
        await using DiskCache from = Open();
        await from.PutAsync(Key(1), Entry("x"), Cancel);
        await using var to = new DiskCache(_folder.In("to"));
        Directory.Delete(to.Folder, recursive: true);
        await using var anew = new DiskCache(_folder.In("to"));

        await Assert.ThrowsAnyAsync<IOException>(() => to.ImportAsync(from.ReadAllAsync(Cancel), Cancel));
    }

    [Fact]
    public async Task GetStatsAsync_DamagedTime_CountsTheOthers()
    {
        await using DiskCache cache = Open();
        await cache.PutAsync(Key(1), Entry("x"), Cancel);
        await cache.PutAsync(Key(2), Entry("x"), Cancel);
        using (CacheDatabase database = CacheDatabase.OpenToWrite(Path.Combine(cache.Folder, "cache.db"), Durability.PowerLoss, null))
        {
            database.Execute("UPDATE answers SET created=9000000000000000000 WHERE id=1");
        }

        DiskCacheStats stats = await cache.GetStatsAsync(Cancel);
        Assert.Equal((2, DateTimeOffset.UnixEpoch.AddYears(55)), (stats.Entries, stats.Newest!.Value));
    }

    [Fact]
    public async Task SizeLimit_LargerEntry_IsRemoved()
    {
        await using DiskCache cache = Open(new DiskCacheOptions { SizeLimit = 1 << 20 });
        await cache.PutAsync(Key(1), Entry(new string('x', 3 << 20)), Cancel);
        await cache.PruneAsync(scope: "nobody", cancellationToken: Cancel); // comes after the dropping
        Assert.False(await cache.ExistsAsync(Key(1), Here, Cancel));
        await cache.PutAsync(Key(2), Entry("x"), Cancel);
        Assert.True(await cache.ExistsAsync(Key(2), Here, Cancel));
    }

    public void Dispose() => _folder.Dispose();

    private static RequestKey Key(int number) => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes($"{{\"n\":{number}}}"));

    private static CacheEntry Entry(string text) => new(Encoding.UTF8.GetBytes(text), Here, 200, DateTimeOffset.UnixEpoch.AddYears(55));

    private DiskCache Open(DiskCacheOptions? options = null) => new(_folder.In("cache"), options);
}
