using System.Text;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Caching;

/// <summary>What was damaged on the disk is noticed, set aside and saved row by row; never taken for an empty cache, never handed out.</summary>
public sealed class DamagedCacheTests : IDisposable
{
    private const string Here = "https://here.example/v1";
    private const int Rows = 300;

    private readonly TemporaryFolder _folder = new();
    private readonly List<string> _said = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Database => _folder.In("cache/cache.db");

    [Theory]
    [InlineData(0, 16, "the first bytes")]
    [InlineData(0, 100, "the header")]
    [InlineData(0, 4096, "the first page")]
    public async Task Open_HeaderBlanked_LosesNothing(int offset, int count, string what)
    {
        await FillAsync();
        Blank(Database, offset, count);

        Assert.Equal((Rows, what), (await CountSoundAsync(), what));
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(_folder.In("cache"), "*.damaged-*"));
    }

    [Fact]
    public async Task Open_PageBlanked_LosesOnlyItsEntries()
    {
        await FillAsync();
        Blank(Database, 4096 * 40, 4096);

        Assert.InRange(await CountSoundAsync(), Rows - 20, Rows);
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_EndBlanked_LosesOnlyItsEntries()
    {
        await FillAsync();
        long length = new FileInfo(Database).Length;
        Blank(Database, (int)length - 40_000, 40_000);

        Assert.InRange(await CountSoundAsync(), Rows - 60, Rows - 1);
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_FileTruncated_LosesOnlyTheCutEntries()
    {
        await FillAsync();
        using (FileStream file = File.OpenWrite(Database))
        {
            file.SetLength(file.Length / 2);
        }

        Assert.InRange(await CountSoundAsync(), Rows / 3, Rows - 1);
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_DatabaseMissing_RecoversFromTheLog()
    {
        await FillAsync(leavesLog: true);
        File.Delete(Database);

        Assert.Equal(Rows, await CountSoundAsync());
    }

    [Fact]
    public async Task Open_LogByteFlipped_LosesOnlyItsEntries()
    {
        await FillAsync(leavesLog: true);
        string log = Database + "-wal";
        Flip(log, (int)(new FileInfo(log).Length / 2));

        Assert.InRange(await CountSoundAsync(), Rows - 20, Rows);
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(17)]
    [InlineData(26)]
    public async Task Open_LogHeaderByteFlipped_LosesNothing(int offset)
    {
        await FillAsync(leavesLog: true);
        Flip(Database + "-wal", offset);

        Assert.Equal(Rows, await CountSoundAsync());
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_LogEndBlanked_IsReported()
    {
        await FillAsync(leavesLog: true);
        string log = Database + "-wal";
        Blank(log, (int)new FileInfo(log).Length - 20_000, 20_000);

        Assert.InRange(await CountSoundAsync(), Rows - 60, Rows - 1);
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(4)] // the frame still says its page …
    [InlineData(6)]
    [InlineData(30)] // … and all of its header
    public async Task Open_LastFramePartlyBlank_IsReported(int whole)
    {
        await FillAsync(leavesLog: true);
        string log = Database + "-wal";
        int blank = 24 + 4096 - whole;
        Blank(log, (int)new FileInfo(log).Length - blank, blank);

        await CountSoundAsync();
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_LogEndTorn_IsNoDamage()
    {
        await FillAsync(leavesLog: true);
        await File.AppendAllTextAsync(Database + "-wal", "half a frame", Cancel);

        Assert.Equal(Rows, await CountSoundAsync());
        Assert.Empty(_said);
    }

    [Fact]
    public async Task Open_AnyByteFlipped_IsDetectedOrHarmless()
    {
        await FillAsync();
        byte[] sound = await File.ReadAllBytesAsync(Database, Cancel);
        var random = new Random(4711);
        var undetected = new List<int>();
        for (int i = 0; i < 100; i++)
        {
            int at = random.Next(sound.Length);
            byte[] flipped = [.. sound];
            flipped[at] ^= (byte)(1 << random.Next(8));
            Directory.Delete(_folder.In("cache"), recursive: true);
            Directory.CreateDirectory(_folder.In("cache"));
            await File.WriteAllBytesAsync(Database, flipped, Cancel);
            _said.Clear();

            int found = await CountSoundAsync();
            Assert.InRange(found, Rows - 20, Rows);
            if (found < Rows && _said.Count == 0)
            {
                undetected.Add(at);
            }
        }

        Assert.Empty(undetected);
    }

    [Fact]
    public async Task Open_HeaderDamagedUnderValidMarker_IsRepaired()
    {
        await FillAsync();
        DateTime written = File.GetLastWriteTimeUtc(Database);
        Blank(Database, 0, 16);
        File.SetLastWriteTimeUtc(Database, written);

        Assert.Equal(Rows, await CountSoundAsync());
        Assert.Single(_said);
    }

    [Theory]
    [InlineData(4096 * 3, 4096 * 4)]
    [InlineData(4096 * 40, 4096)]
    public async Task Open_DamageFoundByAnEarlierRead_IsRepaired(int offset, int count)
    {
        await FillAsync();
        DateTime written = File.GetLastWriteTimeUtc(Database);
        Blank(Database, offset, count);
        File.SetLastWriteTimeUtc(Database, written);

        // It writes too, and closes as if nothing had happened.
        await using (var cache = new DiskCache(_folder.In("cache"), new DiskCacheOptions { OnNotice = _said.Add }))
        {
            await cache.PutAsync(Key(Rows), new CacheEntry(Body(Rows), Here, 200, DateTimeOffset.UnixEpoch.AddYears(55)) { Model = "m" }, Cancel);
            for (var i = 0; i < Rows; i++)
            {
                try
                {
                    await cache.GetAsync(Key(i), Here, Cancel);
                }
                catch (IOException)
                {
                    // "It is checked and repaired when it is opened next."
                }
            }
        }

        _said.Clear();
        Assert.InRange(await CountSoundAsync(), Rows - 60, Rows);
        Assert.Contains("was damaged", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_RepairInterrupted_IsCompleted()
    {
        await FillAsync();
        string folder = _folder.In("cache");
        File.Copy(Database, Database + ".repaired");
        Blank(Database, 0, 4096);

        Assert.Equal(Rows, await CountSoundAsync());
        Assert.Single(Directory.GetFiles(folder, "*.damaged-*"));
        Assert.False(File.Exists(Database + ".repaired"));
    }

    public void Dispose() => _folder.Dispose();

    private static RequestKey Key(int number) => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes($"{{\"n\":{number}}}"));

    private static byte[] Body(int number) => Encoding.UTF8.GetBytes($"{number}:" + new string((char)('a' + (number % 26)), number % 10 == 0 ? 9_000 : 900));

    private static void Blank(string path, int offset, int count) => Change(path, offset, new byte[count]);

    private static void Flip(string path, int offset) => Change(path, offset, [(byte)(File.ReadAllBytes(path)[offset] ^ 0x10)]);

    private static void Change(string path, int offset, byte[] bytes)
    {
        using FileStream file = File.OpenWrite(path);
        file.Position = offset;
        file.Write(bytes);
    }

    private async Task FillAsync(bool leavesLog = false)
    {
        string folder = _folder.In("cache");
        await using (var cache = new DiskCache(folder))
        {
            // A few at a time: several commits stand in the log.
            foreach (int[] some in Enumerable.Range(0, Rows).Chunk(10))
            {
                await Task.WhenAll(some.Select(i => cache.PutAsync(Key(i), new CacheEntry(Body(i), Here, 200, DateTimeOffset.UnixEpoch.AddYears(55)) { Model = "m" }, Cancel).AsTask()));
            }

            if (leavesLog)
            {
                // As a kill leaves it: copied while it is open.
                foreach (string path in Directory.GetFiles(folder).Where(path => !path.EndsWith("-shm", StringComparison.Ordinal)))
                {
                    File.Copy(path, _folder.In(Path.GetFileName(path)));
                }
            }
        }

        if (leavesLog)
        {
            Directory.Delete(folder, recursive: true);
            Directory.CreateDirectory(folder);
            foreach (string path in Directory.GetFiles(_folder.Path))
            {
                File.Move(path, Path.Combine(folder, Path.GetFileName(path)));
            }
        }
    }

    // Every answer that is found is the right one.
    private async Task<int> CountSoundAsync()
    {
        await using var cache = new DiskCache(_folder.In("cache"), new DiskCacheOptions { OnNotice = _said.Add });
        int found = 0;
        for (int i = 0; i < Rows; i++)
        {
            if (await cache.GetAsync(Key(i), Here, Cancel) is { } entry)
            {
                Assert.Equal(Body(i), entry.Body.ToArray());
                found++;
            }
        }

        return found;
    }
}
