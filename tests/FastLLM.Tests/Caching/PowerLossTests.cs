using FastLLM.Diagnostics;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Caching;

/// <summary>What a power loss may leave: everything up to the last flush, and any part of what was written since.</summary>
/// <remarks>
/// Made from two states of a real cache, an earlier one that was flushed and a later one: sectors that differ are each taken from either, or blank.
/// That SQLite asks for the flush is read back when the database is opened; that the disk obeys is the disk's promise.
/// </remarks>
public sealed class PowerLossTests : IDisposable
{
    private const string Scope = "https://here.example/v1";
    private const int Sector = 512;
    private const int Batch = 40;
    private const int Losses = 60;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task PowerLoss_InCommit_KeepsCommittedEntries(int batches)
    {
        State flushed;
        State later;
        await using (var cache = new DiskCache(_folder.In("cache")))
        {
            await PutAsync(cache, 0, batches * Batch);
            flushed = State.Of(_folder.In("cache"));
            await PutAsync(cache, batches * Batch, Batch);
            later = State.Of(_folder.In("cache"));
        }

        Assert.Equal(flushed.Database, later.Database); // nothing but the log was written
        Assert.True(later.Log.Length > flushed.Log.Length);
        for (var seed = 0; seed < Losses; seed++)
        {
            var random = new Random(seed);
            byte[] log = Lose(flushed.Log, later.Log, random);
            byte[] cut = log[..random.Next(flushed.Log.Length, log.Length + 1)];
            Assert.Equal((seed, batches * Batch), (seed, await CountAsync(later.Database, cut, batches * Batch)));
        }
    }

    [Fact]
    public async Task PowerLoss_InCheckpoint_KeepsCommittedEntries()
    {
        const int Count = 5 * Batch;
        State before;
        await using (var cache = new DiskCache(_folder.In("cache")))
        {
            await PutAsync(cache, 0, Count);
            before = State.Of(_folder.In("cache"));
        }

        // Closing brought the log over into the database: from here to there, any sector may have come to the disk, and the log was flushed before.
        byte[] after = File.ReadAllBytes(Path.Combine(_folder.In("cache"), "cache.db"));
        Assert.True(after.Length > before.Database.Length);
        for (var seed = 0; seed < Losses; seed++)
        {
            byte[] database = Lose(before.Database, after, new Random(seed));
            Assert.Equal((seed, Count), (seed, await CountAsync(database, before.Log, Count)));
        }
    }

    // Each sector that was written since is there, or as it was before, or blank where the file was shorter.
    private static byte[] Lose(byte[] flushed, byte[] later, Random random)
    {
        byte[] left = [.. later];
        for (int at = 0; at < left.Length; at += Sector)
        {
            if (random.Next(2) == 0)
            {
                Span<byte> sector = left.AsSpan(at, Math.Min(Sector, left.Length - at));
                ReadOnlySpan<byte> old = flushed.AsSpan(Math.Min(at, flushed.Length), Math.Clamp(flushed.Length - at, 0, sector.Length));
                if (old.Length > 0)
                {
                    old.CopyTo(sector);
                }
                else
                {
                    sector.Clear();
                }
            }
        }

        return left;
    }

    private static async Task PutAsync(DiskCache cache, int from, int count) =>
        await Task.WhenAll(Enumerable.Range(from, count).Select(i => cache.PutAsync(Key(i), new CacheEntry(Body(i), Scope, 200, DateTimeOffset.UnixEpoch), Cancel).AsTask()));

    private static RequestKey Key(int i) => RequestKey.Compute("/v1/chat/completions", System.Text.Encoding.ASCII.GetBytes($"{{\"n\":{i}}}"));

    private static byte[] Body(int i)
    {
        byte[] body = new byte[200 + (i * 37 % 1500)];
        new Random(i).NextBytes(body);
        return body;
    }

    private async Task<int> CountAsync(byte[] database, byte[] log, int count)
    {
        string folder = _folder.In("after");
        Directory.CreateDirectory(folder);
        try
        {
            File.WriteAllBytes(Path.Combine(folder, "cache.db"), database);
            File.WriteAllBytes(Path.Combine(folder, "cache.db-wal"), log);
            await using var cache = new DiskCache(folder);
            var there = 0;
            for (var i = 0; i < count; i++)
            {
                there += await cache.GetAsync(Key(i), Scope, Cancel) is { } entry && entry.Body.Span.SequenceEqual(Body(i)) ? 1 : 0;
            }

            return there;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private sealed record State(byte[] Database, byte[] Log)
    {
        // As the kernel has them; the process holds nothing back once an answer is acknowledged.
        public static State Of(string folder) => new(Read(Path.Combine(folder, "cache.db")), Read(Path.Combine(folder, "cache.db-wal")));

        private static byte[] Read(string path)
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            return bytes;
        }
    }
}
