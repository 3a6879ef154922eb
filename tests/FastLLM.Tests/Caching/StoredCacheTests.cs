using System.Text;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Caching;

/// <summary>What a release has written, every later one reads: answers are paid for. A file here is never changed; a new format gets a new one.</summary>
public sealed class StoredCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Open_FirstFormat_IsReadAndWritten()
    {
        Directory.CreateDirectory(_folder.In("cache"));
        await using (Stream stored = typeof(StoredCacheTests).Assembly.GetManifestResourceStream("format-1.db")!)
        await using (FileStream database = File.Create(_folder.In("cache/cache.db")))
        {
            await stored.CopyToAsync(database, Cancel);
        }

        var said = new List<string>();
        var received = new DateTimeOffset(2026, 11, 23, 5, 0, 0, TimeSpan.Zero);
        await using var cache = new DiskCache(_folder.In("cache"), new DiskCacheOptions { OnNotice = said.Add });
        for (int i = 0; i < 20; i++)
        {
            RequestKey key = RequestKey.Compute("/v1/chat/completions", Encoding.UTF8.GetBytes($$"""{"model":"m","n":{{i}}}"""));
            CacheEntry entry = (await cache.GetAsync(key, i % 2 == 0 ? "https://api.example/v1" : "simulator 0", Cancel))!.Value;

            Assert.Equal($"answer {i} " + new string('é', i * 400), Encoding.UTF8.GetString(entry.Body.Span));
            Assert.Equal((200 + (i % 2), i % 3 == 0 ? null : "m", received.AddMinutes(i)), (entry.StatusCode, entry.Model, entry.CreatedAt));
        }

        RequestKey another = RequestKey.Compute("/v1/chat/completions", "{}"u8);
        await cache.PutAsync(another, new CacheEntry("new"u8.ToArray(), "simulator 0", 200, received), Cancel);
        Assert.True(await cache.ExistsAsync(another, "simulator 0", Cancel));
        Assert.True((await cache.VerifyAsync(Cancel)).IsSound);
        Assert.Empty(said);
    }

    public void Dispose() => _folder.Dispose();
}
