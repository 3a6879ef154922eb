using FastLLM.Diagnostics;
using FastLLM.Providers;
using FastLLM.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace FastLLM.Tests.Providers;

/// <summary>A connection carries a request only after it was quiet for a while.</summary>
public sealed class GuardedStreamTests : IDisposable
{
    private static readonly byte[] s_request = "POST /v1/chat/completions HTTP/1.1\r\n\r\n"u8.ToArray();
    private static readonly byte[] s_answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray();

    private readonly ManualTimeProvider _time = new();
    private readonly DuplexStream _connection = new();
    private readonly ConnectionGuard _guard;
    private readonly GuardedStream _stream;

    public GuardedStreamTests()
    {
        _guard = new ConnectionGuard(NullLogger.Instance, _time);
        _stream = new GuardedStream(_connection, _guard);
    }

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _stream.Dispose();
        _connection.Dispose();
    }

    [Fact]
    public async Task BytesBeforeFirstRequest_CloseConnection()
    {
        await _connection.FeedAsync(s_answer, Ended);

        Task writes = WriteAsync(s_request);
        _time.Advance(TimeSpan.FromMilliseconds(2));

        NotSentException failure = await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.False(failure.IsFree);
        Assert.True(_guard.IsBroken);
        Assert.Empty(_connection.Written);
    }

    [Fact]
    public async Task BytesAfterResponse_CloseConnectionBeforeNextRequest()
    {
        await CarryAsync();
        Task<int> ahead = _stream.ReadAsync(new byte[100], Ended).AsTask();
        Task writes = WriteAsync(s_request);

        _time.Advance(TimeSpan.FromMilliseconds(24));
        Assert.False(writes.IsCompleted);
        await _connection.FeedAsync(s_answer, Ended);
        await ahead;
        _time.Advance(TimeSpan.FromMilliseconds(1));

        NotSentException failure = await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.True(failure.IsFree);
        Assert.True(_guard.IsBroken);
        Assert.Equal(s_request, _connection.Written);
    }

    [Fact]
    public async Task BytesAfterResponse_WithoutReadAhead_CloseConnection()
    {
        await CarryAsync();
        Task writes = WriteAsync(s_request);
        await _connection.FeedAsync(s_answer, Ended);
        _time.Advance(TimeSpan.FromMilliseconds(100));

        await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.True(_guard.IsBroken);
    }

    [Fact]
    public async Task ConnectionClosedByServer_IsNotBroken()
    {
        await CarryAsync();
        Task<int> ahead = _stream.ReadAsync(new byte[100], Ended).AsTask();
        Task writes = WriteAsync(s_request);
        await _connection.EndAsync();
        await ahead;
        _time.Advance(TimeSpan.FromMilliseconds(100));

        NotSentException failure = await Assert.ThrowsAsync<NotSentException>(() => writes);
        Assert.True(failure.IsFree);
        Assert.False(_guard.IsBroken);
    }

    [Fact]
    public async Task QuietConnection_IsUsedAtOnce()
    {
        await CarryAsync();
        Task<int> ahead = _stream.ReadAsync(new byte[100], Ended).AsTask();
        _time.Advance(TimeSpan.FromMilliseconds(100));

        Assert.True(WriteAsync(s_request).IsCompletedSuccessfully);
        await _connection.FeedAsync(s_answer, Ended);
        Assert.Equal(s_answer.Length, await ahead);
    }

    [Fact]
    public async Task BodyAfterEarlyResponse_IsWrittenAtOnce()
    {
        Task writes = WriteAsync(s_request);
        _time.Advance(TimeSpan.FromMilliseconds(2));
        await writes;
        await _connection.FeedAsync(s_answer, Ended);
        await ReadAsync(s_answer.Length);

        Assert.True(WriteAsync("{\"model\":\"m\"}"u8.ToArray()).IsCompletedSuccessfully);
        Assert.False(_guard.IsBroken);
    }

    [Fact]
    public async Task ManyRequests_AreWritten()
    {
        for (var i = 0; i < 100; i++)
        {
            await CarryAsync();
        }

        Assert.False(_guard.IsBroken);
        Assert.Equal(100 * s_request.Length, _connection.Written.Length);
    }

    // One request and its answer.
    private async Task CarryAsync()
    {
        Task writes = WriteAsync(s_request);
        while (!writes.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.WhenAny(writes, Time());
        }

        await writes;
        await _connection.FeedAsync(s_answer, Ended);
        await ReadAsync(s_answer.Length);

        Task Time() => _time.WaitForTimersAsync(1, Ended);
    }

    private Task WriteAsync(byte[] bytes) => _stream.WriteAsync(bytes, Ended).AsTask();

    private async Task ReadAsync(int count)
    {
        byte[] buffer = new byte[100];
        while (count > 0)
        {
            count -= await _stream.ReadAsync(buffer, Ended);
        }
    }
}
