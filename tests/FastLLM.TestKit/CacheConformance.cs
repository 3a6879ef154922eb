using System.Collections.Concurrent;
using System.Text;
using FastLLM.Pipeline;
using Xunit;

namespace FastLLM.TestKit;

/// <summary>What every cache promises. Derive, say how to make one, and the tests are yours.</summary>
public abstract class CacheConformance
{
    private const string Here = "https://here.example/v1";
    private const string There = "https://there.example/v1";

    private static readonly DateTimeOffset s_at = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>An empty cache of its own.</summary>
    protected abstract ValueTask<CacheProvider> CreateAsync();

    [Fact]
    public async Task WhatWasPut_IsGot_WithItsScopeStatusAndTime()
    {
        await using CacheProvider cache = await CreateAsync();
        CacheEntry entry = Entry("{\"a\":1}", Here, 203);
        await cache.PutAsync(Key(1), entry, Cancel);

        CacheEntry got = (await cache.GetAsync(Key(1), Here, Cancel))!.Value;
        Assert.Equal("{\"a\":1}", Text(got));
        Assert.Equal((Here, 203, s_at), (got.Scope, got.StatusCode, got.CreatedAt));
        Assert.Equal(entry.ComputeDigest(), got.ComputeDigest());
    }

    [Fact]
    public async Task WhatWasNotPut_IsNotThere()
    {
        await using CacheProvider cache = await CreateAsync();
        await cache.PutAsync(Key(1), Entry("x", Here), Cancel);

        Assert.False(await cache.ExistsAsync(Key(2), Here, Cancel));
        Assert.Null(await cache.GetAsync(Key(2), Here, Cancel));
        Assert.Null(await cache.GetAsync(Key(2), cancellationToken: Cancel));
    }

    [Fact]
    public async Task Scopes_DoNotAnswerForEachOther()
    {
        await using CacheProvider cache = await CreateAsync();
        await cache.PutAsync(Key(1), Entry("here", Here), Cancel);
        Assert.Null(await cache.GetAsync(Key(1), There, Cancel));
        Assert.False(await cache.ExistsAsync(Key(1), There, Cancel));

        await cache.PutAsync(Key(1), Entry("there", There), Cancel);
        Assert.Equal("here", Text((await cache.GetAsync(Key(1), Here, Cancel))!.Value));
        Assert.Equal("there", Text((await cache.GetAsync(Key(1), There, Cancel))!.Value));
        Assert.Null(await cache.GetAsync(Key(1), Here.ToUpperInvariant(), Cancel));
        Assert.Null(await cache.GetAsync(Key(1), "", Cancel));
    }

    [Fact]
    public async Task WithoutAScope_AnyEntryOfTheKeyIsFound()
    {
        await using CacheProvider cache = await CreateAsync();
        await cache.PutAsync(Key(1), Entry("there", There), Cancel);

        Assert.True(await cache.ExistsAsync(Key(1), cancellationToken: Cancel));
        Assert.Equal("there", Text((await cache.GetAsync(Key(1), cancellationToken: Cancel))!.Value));
    }

    [Fact]
    public async Task RequestIds_AreKeys_InEitherCase()
    {
        await using CacheProvider cache = await CreateAsync();
        await cache.PutAsync(Key(1), Entry("x", Here), Cancel);
        string id = Key(1).ToString();

        Assert.True(await cache.ExistsAsync(id, cancellationToken: Cancel));
        Assert.True(await cache.ExistsAsync(id.ToUpperInvariant(), Here, Cancel));
        Assert.Equal("x", Text((await cache.GetAsync(id, cancellationToken: Cancel))!.Value));
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData("../../etc/passwd")]
    [InlineData("00112233445566778899aabbccddeeff0123456789abcdeffedcba987654321")]
    public async Task WhatIsNoRequestId_IsNotFound(string id)
    {
        await using CacheProvider cache = await CreateAsync();

        Assert.False(await cache.ExistsAsync(id, cancellationToken: Cancel));
        Assert.Null(await cache.GetAsync(id, cancellationToken: Cancel));
    }

    [Fact]
    public async Task ALaterPut_ReplacesTheEarlier()
    {
        await using CacheProvider cache = await CreateAsync();
        foreach (string text in (string[])["first", "the second is longer", "3rd"])
        {
            await cache.PutAsync(Key(1), Entry(text, Here), Cancel);
            Assert.Equal(text, Text((await cache.GetAsync(Key(1), Here, Cancel))!.Value));
        }
    }

    [Fact]
    public async Task Bytes_ComeBackUnchanged_WhateverTheyAre()
    {
        await using CacheProvider cache = await CreateAsync();
        byte[][] bodies = [[], [0], [.. Enumerable.Range(0, 256).Select(i => (byte)i)], [0xFF, 0xFE, 0xC3, 0x28], Encoding.UTF8.GetBytes("é😀\r\n\u2028"), new byte[3_000_000]];
        new Random(1).NextBytes(bodies[^1]);
        for (int i = 0; i < bodies.Length; i++)
        {
            await cache.PutAsync(Key(i), new CacheEntry(bodies[i], Here, 200, s_at), Cancel);
        }

        for (int i = 0; i < bodies.Length; i++)
        {
            Assert.Equal(bodies[i], (await cache.GetAsync(Key(i), Here, Cancel))!.Value.Body.ToArray());
        }
    }

    [Fact]
    public async Task ScopesOfAnyText_AreKeptApart()
    {
        await using CacheProvider cache = await CreateAsync();
        string[] scopes = ["", " ", "a", "A", "a ", "é", "😀", "'; DROP TABLE x --", "a\0b", "a\nb", new('x', 5000)];
        foreach (string scope in scopes)
        {
            await cache.PutAsync(Key(1), Entry("for " + scope, scope), Cancel);
        }

        foreach (string scope in scopes)
        {
            Assert.Equal("for " + scope, Text((await cache.GetAsync(Key(1), scope, Cancel))!.Value));
        }
    }

    [Fact]
    public async Task Clear_RemovesEverything_AndTheCacheGoesOn()
    {
        await using CacheProvider cache = await CreateAsync();
        await cache.PutAsync(Key(1), Entry("x", Here), Cancel);
        await cache.PutAsync(Key(1), Entry("x", There), Cancel);
        await cache.ClearAsync(Cancel);
        await cache.ClearAsync(Cancel);
        Assert.False(await cache.ExistsAsync(Key(1), cancellationToken: Cancel));

        await cache.PutAsync(Key(1), Entry("y", Here), Cancel);
        Assert.Equal("y", Text((await cache.GetAsync(Key(1), Here, Cancel))!.Value));
    }

    [Fact]
    public async Task ConcurrentPutsAndGets_LoseNothingAndMixNothing()
    {
        await using CacheProvider cache = await CreateAsync();
        var wrong = new ConcurrentBag<string>();
        await Parallel.ForEachAsync(Enumerable.Range(0, 2000), new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Cancel }, async (i, cancel) =>
        {
            int key = i % 200;
            string scope = i % 3 == 0 ? Here : There;
            await cache.PutAsync(Key(key), Entry($"{key} {scope} " + new string('x', i % 50), scope), cancel);
            if (await cache.GetAsync(Key(key), scope, cancel) is not { } got || !Text(got).StartsWith($"{key} {scope} ", StringComparison.Ordinal) || got.Scope != scope)
            {
                wrong.Add($"{key} {scope}");
            }
        });

        Assert.Empty(wrong);
        for (int key = 0; key < 200; key++)
        {
            Assert.True(await cache.ExistsAsync(Key(key), cancellationToken: Cancel));
        }
    }

    [Fact]
    public async Task ClosingTwice_DoesNothingTheSecondTime()
    {
        CacheProvider cache = await CreateAsync();
        await cache.CloseAsync(Cancel);
        await cache.CloseAsync(Cancel);
        await cache.DisposeAsync();
        await cache.DisposeAsync();
    }

    [Fact]
    public async Task AClosedCache_CannotBeUsed()
    {
        CacheProvider cache = await CreateAsync();
        await cache.PutAsync(Key(1), Entry("x", Here), Cancel);
        await cache.CloseAsync(Cancel);

        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await cache.ExistsAsync(Key(1), Here, Cancel));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await cache.GetAsync(Key(1), Here, Cancel));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await cache.PutAsync(Key(1), Entry("x", Here), Cancel));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await cache.ClearAsync(Cancel));
    }

    [Fact]
    public async Task AnEntryWithoutAScope_IsRefused()
    {
        await using CacheProvider cache = await CreateAsync();

        await Assert.ThrowsAsync<ArgumentNullException>(async () => await cache.PutAsync(Key(1), default, Cancel));
    }

    /// <summary>A key by number.</summary>
    protected static RequestKey Key(int number) => RequestKey.Compute("/v1/x", Encoding.UTF8.GetBytes($"{{\"n\":{number}}}"));

    /// <summary>An entry of a text.</summary>
    protected static CacheEntry Entry(string text, string scope, int status = 200) => new(Encoding.UTF8.GetBytes(text), scope, status, s_at);

    private static string Text(CacheEntry entry) => Encoding.UTF8.GetString(entry.Body.Span);
}
