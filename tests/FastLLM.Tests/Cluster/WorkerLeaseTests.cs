using FastLLM.Cluster.Workers;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Cluster;

public sealed class WorkerLeaseTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public async Task IsCurrent_SixSecondsAfterARenewal_IsFalse_AndNextRenewalEndsTheWait()
    {
        var lease = new WorkerLease(_time);
        Assert.False(lease.IsCurrent);
        lease.Renew(_time.GetTimestamp());
        await lease.WaitAsync(TestContext.Current.CancellationToken);

        _time.Advance(TimeSpan.FromSeconds(5.9));
        Assert.True(lease.IsCurrent);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.False(lease.IsCurrent);

        Task waiting = lease.WaitAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.False(waiting.IsCompleted);
        lease.Renew(_time.GetTimestamp());
        await waiting;
    }

    [Fact]
    public void MayJudgeOthers_AfterAnOutage_IsFalseForALease()
    {
        var lease = new WorkerLease(_time);
        lease.Renew(_time.GetTimestamp());
        _time.Advance(TimeSpan.FromSeconds(7));
        Assert.True(lease.MayJudgeOthers);

        lease.Fail();
        _time.Advance(TimeSpan.FromSeconds(5));
        lease.Renew(_time.GetTimestamp());
        Assert.False(lease.MayJudgeOthers);
        _time.Advance(TimeSpan.FromSeconds(7));
        Assert.True(lease.MayJudgeOthers);
    }
}
