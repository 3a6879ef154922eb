using System.Runtime.Versioning;
using System.Text;
using FastLLM.Caching;
using FastLLM.Pipeline;
using FastLLM.TestKit;
using Microsoft.Data.Sqlite;
using Xunit;

namespace FastLLM.Tests.Caching;

public sealed class DiskCacheConformanceTests : CacheConformance, IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    protected override ValueTask<CacheProvider> CreateAsync() => new(new DiskCache(_folder.In("cache")));
}

public sealed class DiskCacheTests : IDisposable
{
    private const string Here = "https://here.example/v1";

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PutAsync_NextOpener_FindsTheEntry()
    {
        await using (DiskCache cache = Open())
        {
            await cache.PutAsync(Key(1), Entry("x", Here) with { Model = "m" }, Cancel);
        }

        await using DiskCache again = Open();
        CacheEntry entry = (await again.GetAsync(Key(1), Here, Cancel))!.Value;
        Assert.Equal("x", Text(entry));
        Assert.Equal("m", entry.Model);
        Assert.Equal(200, entry.StatusCode);
    }

    [Fact]
    public async Task PutAsync_OtherOpenCaches_FindTheEntry()
    {
        await using DiskCache one = Open();
        await using DiskCache other = Open();
        await one.PutAsync(Key(1), Entry("x", Here), Cancel);
        Assert.Equal("x", Text((await other.GetAsync(Key(1), Here, Cancel))!.Value));

        await other.PutAsync(Key(1), Entry("y", Here), Cancel);
        Assert.Equal("y", Text((await one.GetAsync(Key(1), Here, Cancel))!.Value));
    }

    [Fact]
    public async Task Ttl_Expired_IsNotFoundAndPruned()
    {
        var time = new ManualTimeProvider();
        await using DiskCache cache = Open(new DiskCacheOptions { Ttl = TimeSpan.FromHours(1), TimeProvider = time });
        await cache.PutAsync(Key(1), new CacheEntry("old"u8.ToArray(), Here, 200, time.GetUtcNow()), Cancel);
        time.Advance(TimeSpan.FromMinutes(59));
        await cache.PutAsync(Key(2), new CacheEntry("new"u8.ToArray(), Here, 200, time.GetUtcNow()), Cancel);
        Assert.True(await cache.ExistsAsync(Key(1), Here, Cancel));

        time.Advance(TimeSpan.FromMinutes(2));
        Assert.False(await cache.ExistsAsync(Key(1), Here, Cancel));
        Assert.False(await cache.ExistsAsync(Key(1), cancellationToken: Cancel));
        Assert.True(await cache.ExistsAsync(Key(2), Here, Cancel));

        Assert.Equal(1, await cache.PruneAsync(cancellationToken: Cancel));
        Assert.Equal(1, (await cache.GetStatsAsync(Cancel)).Entries);
    }

    [Fact]
    public async Task SizeLimit_Exceeded_RemovesTheOldestAndReports()
    {
        var said = new List<string>();
        await using DiskCache cache = Open(new DiskCacheOptions { SizeLimit = 1 << 20, OnNotice = said.Add });
        for (int i = 0; i < 60; i++)
        {
            await cache.PutAsync(Key(i), Entry(new string('x', 40_000), Here), Cancel);
        }

        DiskCacheStats stats = await cache.GetStatsAsync(Cancel);
        Assert.InRange(stats.Entries, 10, 26);
        Assert.Equal(60, stats.Entries + stats.Evicted);
        Assert.False(await cache.ExistsAsync(Key(0), Here, Cancel));
        Assert.True(await cache.ExistsAsync(Key(59), Here, Cancel));
        Assert.Contains(said, text => text.Contains("oldest answers were dropped", StringComparison.Ordinal));
    }

    [Fact]
    public async Task SizeLimit_NotSet_RemovesNothing()
    {
        await using DiskCache cache = Open();
        for (int i = 0; i < 200; i++)
        {
            await cache.PutAsync(Key(i), Entry(new string('x', 40_000), Here), Cancel);
        }

        Assert.Equal(200, (await cache.GetStatsAsync(Cancel)).Entries);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public async Task OnlyTheOwner_CanReadTheFiles()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Modes are POSIX's.");
        await using DiskCache cache = Open();
        await cache.PutAsync(Key(1), Entry("x", Here), Cancel);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(cache.Folder));
        Assert.All(Directory.GetFiles(cache.Folder), path => Assert.Equal((path, UnixFileMode.UserRead | UnixFileMode.UserWrite), (path, File.GetUnixFileMode(path))));
    }

    [Fact]
    public async Task GetStatsAsync_CountsByEndpointAndModel()
    {
        await using DiskCache cache = Open();
        await cache.PutAsync(Key(1), Entry("12345", Here) with { Model = "a" }, Cancel);
        await cache.PutAsync(Key(2), Entry("123", Here) with { Model = "a" }, Cancel);
        await cache.PutAsync(Key(1), Entry("1", "elsewhere"), Cancel);

        DiskCacheStats stats = await cache.GetStatsAsync(Cancel);
        Assert.Equal([new DiskCacheShare(Here, "a", 2, 8), new DiskCacheShare("elsewhere", "", 1, 1)], stats.Shares);
        Assert.Equal((3, 9), (stats.Entries, stats.AnswerBytes));
        Assert.True((await cache.VerifyAsync(Cancel)).IsSound);
    }

    [Fact]
    public async Task PruneAsync_RemovesMatchesOfAllConditions()
    {
        await using DiskCache cache = Open();
        await cache.PutAsync(Key(1), Entry("x", Here) with { Model = "a" }, Cancel);
        await cache.PutAsync(Key(2), Entry("x", Here) with { Model = "b" }, Cancel);
        await cache.PutAsync(Key(3), Entry("x", "elsewhere") with { Model = "a" }, Cancel);

        Assert.Equal(0, await cache.PruneAsync(cancellationToken: Cancel));
        Assert.Equal(1, await cache.PruneAsync(scope: Here, model: "a", cancellationToken: Cancel));
        Assert.False(await cache.ExistsAsync(Key(1), cancellationToken: Cancel));
        Assert.True(await cache.ExistsAsync(Key(2), cancellationToken: Cancel));
        Assert.True(await cache.ExistsAsync(Key(3), cancellationToken: Cancel));
    }

    [Fact]
    public async Task ImportAsync_KeepsTheNewerEntry()
    {
        DateTimeOffset early = DateTimeOffset.UnixEpoch.AddYears(50);
        await using DiskCache from = Open();
        await using var to = new DiskCache(_folder.In("to"));
        await from.PutAsync(Key(1), new CacheEntry("old"u8.ToArray(), Here, 200, early), Cancel);
        await to.PutAsync(Key(1), new CacheEntry("new"u8.ToArray(), Here, 200, early.AddDays(1)), Cancel);
        await from.PutAsync(Key(2), new CacheEntry("two"u8.ToArray(), Here, 201, early) { Model = "m" }, Cancel);

        Assert.Equal(2, await to.ImportAsync(from.ReadAllAsync(Cancel), Cancel));
        Assert.Equal("new", Text((await to.GetAsync(Key(1), Here, Cancel))!.Value));
        CacheEntry two = (await to.GetAsync(Key(2), Here, Cancel))!.Value;
        Assert.Equal(("two", 201, "m", early), (Text(two), two.StatusCode, two.Model!, two.CreatedAt));
    }

    [Fact]
    public async Task ClearAsync_LeavesNoTrace()
    {
        string folder = _folder.In("cache");
        await using (DiskCache cache = Open())
        {
            await cache.PutAsync(Key(1), Entry("a-secret-answer", Here), Cancel);
            await cache.ClearAsync(Cancel);
        }

        Assert.All(Directory.GetFiles(folder), path => Assert.DoesNotContain("a-secret-answer", Encoding.Latin1.GetString(File.ReadAllBytes(path)), StringComparison.Ordinal));
    }

    [Fact]
    public async Task FullDisk_ServesEntriesAndThrowsForMissing()
    {
        await using DiskCache cache = Open(new DiskCacheOptions { MaxPages = 100 });
        int kept = 0;
        for (; kept < 200; kept++)
        {
            try
            {
                await cache.PutAsync(Key(kept), Entry(new string('x', 4000), Here), Cancel);
            }
            catch (IOException)
            {
                break;
            }
        }

        Assert.InRange(kept, 20, 100);
        Assert.True(await cache.ExistsAsync(Key(0), Here, Cancel));
        Assert.NotNull(await cache.GetAsync(Key(kept - 1), Here, Cancel));
        IOException fault = await Assert.ThrowsAsync<IOException>(async () => await cache.GetAsync(Key(1000), Here, Cancel));
        Assert.Contains("full", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task FullDisk_RoomAtClose_WritesTheRest()
    {
        string folder = _folder.In("cache");
        DiskCache cache = Open(new DiskCacheOptions { MaxPages = 100 });
        int failed = 0;
        for (; failed < 200; failed++)
        {
            try
            {
                await cache.PutAsync(Key(failed), Entry(new string('x', 4000), Here), Cancel);
            }
            catch (IOException)
            {
                break;
            }
        }

        cache.MakeRoomForTests();
        await cache.CloseAsync(Cancel);

        await using var again = new DiskCache(folder);
        Assert.True(await again.ExistsAsync(Key(failed), Here, Cancel));
    }

    [Fact]
    public async Task Folder_Removed_GetThrows()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Files in use cannot be removed there.");
        DiskCache cache = Open();
        await cache.PutAsync(Key(1), Entry("x", Here), Cancel);
        Directory.Delete(cache.Folder, recursive: true);

        await Assert.ThrowsAnyAsync<IOException>(async () => await cache.PutAsync(Key(2), Entry("x", Here), Cancel));
        await Assert.ThrowsAsync<IOException>(async () => await cache.GetAsync(Key(3), Here, Cancel));
        await cache.CloseAsync(Cancel);
    }

    [Fact]
    public void Folder_IsAFile_ThrowsWithItsName()
    {
        File.WriteAllText(_folder.In("cache"), "");
        IOException fault = Assert.Throws<IOException>(() => Open());
        Assert.Contains(_folder.In("cache"), fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_NewerRelease_ThrowsAndChangesNothing()
    {
        await using (DiskCache cache = Open())
        {
            await cache.PutAsync(Key(1), Entry("x", Here), Cancel);
        }

        using (var connection = new SqliteConnection($"Data Source={_folder.In("cache")}/cache.db;Pooling=False"))
        {
            connection.Open();
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = "PRAGMA user_version=2";
            command.ExecuteNonQuery();
        }

        IOException fault = Assert.Throws<IOException>(() => Open());
        Assert.Contains("newer release", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Directory.GetFiles(_folder.In("cache")), path => path.Contains("damaged", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("nfs", true)]
    [InlineData("CIFS", true)]
    [InlineData("v9fs", true)]
    [InlineData("fuse", true)]
    [InlineData("ext4", false)]
    [InlineData("tmpfs", false)]
    [InlineData("overlayfs", false)]
    public void IsNetwork_KnowsNetworkFileSystems(string format, bool isNetwork) => Assert.Equal(isNetwork, FastLLM.Caching.CacheFolder.IsNetwork(format));

    public void Dispose() => _folder.Dispose();

    private static RequestKey Key(int number) => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes($"{{\"n\":{number}}}"));

    private static CacheEntry Entry(string text, string scope) => new(Encoding.UTF8.GetBytes(text), scope, 200, DateTimeOffset.UnixEpoch.AddYears(55));

    private static string Text(CacheEntry entry) => Encoding.UTF8.GetString(entry.Body.Span);

    private DiskCache Open(DiskCacheOptions? options = null) => new(_folder.In("cache"), options);
}
