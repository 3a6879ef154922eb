using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Pipeline;

/// <summary>Whom the engine trusts with prompts and keys.</summary>
public sealed class TrustTests : EngineTest
{
    [Theory]
    [InlineData("localhost", 10)]
    [InlineData("localhost", -1)]
    [InlineData("api.example.com", 10)]
    public async Task ACertificateThatIsNotToBeTrusted_StopsTheRun_AndNothingWasSent(string host, int days)
    {
        await using TlsServer server = TlsServer.Start(host, days);
        await using var manager = new RequestManager(new OpenAIProvider("sk-test", server.ApiBase), Quick(o => o.Concurrency = 1));

        var stopped = await Assert.ThrowsAsync<LlmRunException>(() => manager.ProcessBatchAsync(AskMany(20), Ended));

        Assert.Equal(FailureKind.Certificate, stopped.Kind);
        Assert.InRange(server.Connections, 3, 6);
        Assert.Equal(0, server.Bytes);
    }

    [Fact]
    public async Task AHandshakeThatBreaksOff_IsALostConnection_AndTriedAgain()
    {
        await using TlsServer server = TlsServer.StartAborting();
        await using var manager = new RequestManager(new OpenAIProvider("sk-test", server.ApiBase), Quick());

        var outcome = (await manager.ProcessBatchAsync([Ask(1)], Ended))[0];

        Assert.Equal(FailureKind.ConnectionLost, outcome.Error?.Kind);
        Assert.Equal(3, server.Connections);
    }

    [Fact]
    public async Task AWallClockThatJumps_MovesNoDeadline()
    {
        var time = new JumpingClock();
        var provider = new ScriptedProvider(async (_, nth, cancellationToken) =>
        {
            time.Jump(nth % 2 == 0 ? TimeSpan.FromDays(1) : TimeSpan.FromHours(-25));
            await Task.Yield();
            return nth == 1 ? throw new LlmException(FailureKind.ServerError, "500") : "fine";
        });
        await using var manager = new RequestManager<string>(provider, Quick(o => o.TimeProvider = time));

        var outcomes = await manager.ProcessBatchAsync(AskMany(200), Ended);

        Assert.All(outcomes, outcome => Assert.Equal(("fine", 2), (outcome.Response, outcome.Attempts)));
    }

    private sealed class JumpingClock : TimeProvider
    {
        private long _offset;

        public void Jump(TimeSpan by) => Interlocked.Add(ref _offset, by.Ticks);

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _offset));
    }
}
